"""Decisions follow from facts, and each can be pinned."""

import numpy as np
import pytest

from lesionflow.data.dataset import Dataset
from lesionflow.data.fingerprint import CaseFacts
from lesionflow.planning.facts import summarize_facts
from support.plans import FINGERPRINT, make_facts, plan_of


def test_in_2d_slices_stay_and_pixels_take_the_median() -> None:
    plan = plan_of(FINGERPRINT)
    assert plan.spacing_mm == (None, 1.0, 1.0)
    assert plan.patch_size == (3, 208, 304)
    assert plan.in_channels == 6


def test_in_3d_coarse_slices_take_the_finer_of_the_data() -> None:
    coarse = summarize_facts([make_facts(i, (s, 0.8, 0.8)) for i, s in enumerate((2.5, 5.0, 5.0, 5.0, 5.0))])
    assert plan_of(coarse, dimensions=3, memory_budget_mb=64000).spacing_mm[0] == pytest.approx(3.5)
    fine = summarize_facts([make_facts(i, (1.5, 0.8, 0.8)) for i in range(3)])
    assert plan_of(fine, dimensions=3, memory_budget_mb=64000).spacing_mm == (1.5, 0.8, 0.8)


@pytest.mark.parametrize(
    ("spacing", "pinned", "offered", "dimensions", "why"),
    [
        ((3.0, 1.0, 1.0), (None, None, None), (2, 3), 3, "40 slices, 3.0 times"),
        ((3.3, 1.0, 1.0), (None, None, None), (2, 3), 2, "3.3 times as thick"),
        ((3.3, 1.0, 1.0), (None, 2.2, 2.2), (2, 3), 3, "1.5 times"),
        ((1.0, 1.0, 1.0), (None, 0.3, 0.3), (2, 3), 2, "3.3 times"),
        ((1.0, 1.0, 1.0), (3.0, 3.0, 3.0), (2, 3), 2, "13 slices"),
        ((5.0, 1.0, 1.0), (None, None, None), (3,), 3, "no other"),
        ((1.0, 1.0, 1.0), (None, None, None), (2,), 2, "no other"),
    ],
)
def test_the_data_decide_between_slices_and_volumes(spacing, pinned, offered, dimensions, why) -> None:
    fingerprint = summarize_facts([make_facts(i, spacing) for i in range(3)])
    plan = plan_of(fingerprint, dimensions=None, spacing_mm=pinned, offered=offered, memory_budget_mb=64000)
    assert (plan.dimensions, len(plan.patch_size)) == (dimensions, 3)
    assert plan.context_slices == (3 if dimensions == 2 else 1)
    (decision,) = (d for d in plan.decisions if d.what == "dimensions")
    assert why in decision.why


def test_ct_is_clipped_at_the_tumors_but_never_tighter_than_soft_tissue() -> None:
    plan = plan_of(FINGERPRINT)
    assert (plan.channels[0].lower, plan.channels[0].upper) == (-150.0, 250.0)
    bright = summarize_facts([make_facts(0, (3.0, 1.0, 1.0), tumor=(900.0, 5.0))])
    assert plan_of(bright).channels[0].upper == pytest.approx(900 + 25.8, abs=6)


def test_pet_is_never_clipped_below_the_uptake_of_organs() -> None:
    assert plan_of(FINGERPRINT).channels[1].upper == 10.0
    hot = summarize_facts([make_facts(0, (3.0, 1.0, 1.0), tumor=(30.0, 22.0))])
    assert (plan_of(hot).channels[1].lower, plan_of(hot).channels[1].upper) == (0.0, 22.0)


def test_magnetic_resonance_has_no_constants() -> None:
    mr = Dataset(name="d", channels={"T1": "mr", "T2": "mr"}, labels={"tumor": 1}, regions={})
    assert all(channel.mean is None for channel in plan_of(FINGERPRINT, mr).channels)


def test_pinned_values_stand_and_say_so() -> None:
    plan = plan_of(
        FINGERPRINT, spacing_mm=(None, 2.0, 2.0), patch_size=(3, 96, 96), batch_size=7, ct_window_hu=(-100.0, 300.0)
    )
    assert (plan.spacing_mm[1:], plan.patch_size, plan.batch_size) == ((2.0, 2.0), (3, 96, 96), 7)
    assert (plan.channels[0].lower, plan.channels[0].upper) == (-100.0, 300.0)
    assert sum("pinned" in decision.why for decision in plan.decisions) == 5


def _picture_facts(number: int, *, bright_background: bool) -> CaseFacts:
    """Outlined things of 200 on a background of 30, or turned."""
    body, tumor = np.full((1, 100), 30.0, np.float32), np.full((1, 20), 200.0, np.float32)
    body[0, :20] = 200.0
    body, tumor = (255.0 - body, 255.0 - tumor) if bright_background else (body, tumor)
    return CaseFacts(f"c-{number}", (1.0, 1.0, 1.0), (1, 200, 300), 20.0, body, tumor)


@pytest.mark.parametrize(
    ("n_bright", "pinned", "turned"), [(1, None, True), (0, None, False), (1, False, False), (0, True, True)]
)
def test_pictures_on_bright_and_dark_backgrounds_are_made_alike(n_bright, pinned, turned) -> None:
    fingerprint = summarize_facts([_picture_facts(i, bright_background=i < n_bright) for i in range(10)])
    pictures = Dataset(name="d", channels={"gray": "picture"}, labels={"nucleus": 1}, regions={})
    plan = plan_of(fingerprint, pictures, dark_background=pinned)
    assert plan.channels[0].dark_background is turned
    (why,) = [decision.why for decision in plan.decisions if decision.what == "background of gray"]
    assert f"{n_bright * 10}% of the pictures are dark on a bright background" in why
    assert f"in {100 - n_bright * 10}% of them as they are, in 100% were those turned" in why
    assert why.startswith("pinned in params") is (pinned is not None)
