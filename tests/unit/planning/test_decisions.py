"""Decisions follow from facts, and each can be pinned."""

import numpy as np
import pytest

from lesionflow.data.dataset import Dataset
from lesionflow.data.fingerprint import CaseFacts, Fingerprint
from lesionflow.data.plan import ArchitecturePlan, InferencePlan, Plan
from lesionflow.errors import ConfigError
from lesionflow.planning.cascade import shrink_finest
from lesionflow.planning.decisions import make_plan
from lesionflow.planning.facts import summarize_facts

PETCT = Dataset(name="d", channels={"CT": "ct", "PET": "pet"}, labels={"tumor": 1}, regions={})
UNET = ArchitecturePlan(name="unet", options={"base_channels": 16, "depth": 4})
RULES = InferencePlan(
    overlap_fraction=0.5, flip_axes=(), probability_threshold=0.5, min_lesion_ml=0.0, fill_holes=False
)


def _facts(number: int, spacing: tuple[float, float, float], tumor: tuple[float, float] = (30.0, 5.0)) -> CaseFacts:
    random = np.random.default_rng(number)
    body = np.stack([random.normal(0, 100, 2000), random.gamma(1.0, 1.0, 2000)]).astype(np.float32)
    inside = np.stack([random.normal(tumor[0], 10, 500), np.full(500, tumor[1])]).astype(np.float32)
    return CaseFacts(f"c-{number}", spacing, (40, 200, 300), 20.0 + number, body, inside)


def _memory_mb(_: int, __: ArchitecturePlan, ___: int, patch: tuple[int, int, int]) -> tuple[float, float]:
    """100 MB for the weights, and a sample's 1 MB for each 1000 voxels that a network sees in plane or in all."""
    return 100.0, float(np.prod(patch)) / (1000 if patch[0] != 3 else 3000)


def _plan(fingerprint: Fingerprint, dataset: Dataset = PETCT, **changes: object) -> Plan:
    given: dict = {
        "dimensions": 2, "spacing_mm": (None, None, None), "patch_size": None, "batch_size": None, "context_slices": 3,
        "memory_budget_mb": 2000, "ct_window_hu": None, "dark_background": None, "denoising": "none", "bias_field_correction": False,
        "cascade": False, "architecture": UNET, "offered": (2, 3), "size_multiple": 16, "inference": RULES, "memory_mb": _memory_mb, **changes,
    }  # fmt: skip
    return make_plan(fingerprint, dataset, **given)


FINGERPRINT = summarize_facts([_facts(i, (3.0, s, s)) for i, s in enumerate((0.8, 1.0, 1.2))])


def test_facts_are_medians_whatever_their_order() -> None:
    facts = [_facts(i, (3.0 + i, 0.8, 0.9)) for i in range(3)]
    one, other = summarize_facts(facts), summarize_facts(facts[::-1])
    assert one.median_spacing_mm == other.median_spacing_mm == (4.0, 0.8, 0.9)
    assert np.array_equal(one.body, other.body)
    assert one.median_tumor_ml == 21.0
    assert one.anisotropy == pytest.approx(5.0)


def test_in_2d_slices_stay_and_pixels_take_the_median() -> None:
    plan = _plan(FINGERPRINT)
    assert plan.spacing_mm == (None, 1.0, 1.0)
    assert plan.patch_size == (3, 208, 304)
    assert plan.in_channels == 6


def test_in_3d_coarse_slices_take_the_finer_of_the_data() -> None:
    coarse = summarize_facts([_facts(i, (s, 0.8, 0.8)) for i, s in enumerate((2.5, 5.0, 5.0, 5.0, 5.0))])
    assert _plan(coarse, dimensions=3, memory_budget_mb=64000).spacing_mm[0] == pytest.approx(3.5)
    fine = summarize_facts([_facts(i, (1.5, 0.8, 0.8)) for i in range(3)])
    assert _plan(fine, dimensions=3, memory_budget_mb=64000).spacing_mm == (1.5, 0.8, 0.8)


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
    fingerprint = summarize_facts([_facts(i, spacing) for i in range(3)])
    plan = _plan(fingerprint, dimensions=None, spacing_mm=pinned, offered=offered, memory_budget_mb=64000)
    assert (plan.dimensions, len(plan.patch_size)) == (dimensions, 3)
    assert plan.context_slices == (3 if dimensions == 2 else 1)
    (decision,) = (d for d in plan.decisions if d.what == "dimensions")
    assert why in decision.why


def test_the_batch_fills_the_budget_and_no_more() -> None:
    # A sample of 208 x 304 takes 63.232 MB: 14.2 of them and 61.7 of them fit beside the weights.
    assert _plan(FINGERPRINT, memory_budget_mb=1000).batch_size == 14
    assert _plan(FINGERPRINT, memory_budget_mb=4000).batch_size == 32


def test_a_patch_is_cut_where_it_is_longest_beside_the_body_until_two_fit() -> None:
    plan = _plan(FINGERPRINT, memory_budget_mb=150)
    # 208 x 304 covers 200 x 300; two samples of the patch must fit into 50 MB beside the weights.
    _, rows, columns = plan.patch_size
    assert rows * columns / 1000 * 2 <= 50 < (rows + 16) * (columns + 16) / 1000 * 2
    assert abs(rows / 200 - columns / 300) < 16 / 200
    assert plan.batch_size == 2
    (why,) = (d.why for d in plan.decisions if d.what == "patch_size")
    assert "3 x 208 x 304 would cover" in why


def test_a_patch_that_sees_little_of_the_body_is_told_the_rest_by_a_first_stage() -> None:
    # The body is 40 x 200 x 300 voxels of 3 x 1 x 1 mm; 300 MB hold one patch of 200,000 voxels: 16 x 96 x 128, which covers
    # 0.4 * 0.48 * 0.427 = 8.2 % of it. Three times as coarse in plane, 40 x 66.7 x 100 voxels, one of 32 x 64 x 96 covers
    # 0.8 * 0.96 * 0.96 = 74 %; twice as coarse, 16 x 80 x 112 of 40 x 100 x 150 covered 24 %.
    plan = _plan(FINGERPRINT, dimensions=3, memory_budget_mb=300, cascade=None)
    assert plan.patch_size == (16, 96, 128)
    assert plan.coarse is not None
    assert plan.coarse.factors == (1, 3, 3)
    assert plan.coarse.architecture.n_members == 2
    (why,) = [decision for decision in plan.decisions if decision.what == "cascade"]
    assert why.value == "first shrunk by 1 x 3 x 3, then in full"
    assert (
        "a patch alone covers 8% of the median body; at 3 x 3 x 3 mm a patch of 32 x 64 x 96 covers 74% of" in why.why
    )
    assert plan.in_channels == 3
    first = plan.first_stage()
    assert first is not None
    assert (first.in_channels, first.spacing_mm, first.coarse) == (2, (3.0, 3.0, 3.0), None)


def test_a_patch_that_sees_a_quarter_needs_no_first_stage_but_gets_one_that_is_asked_for() -> None:
    plan = _plan(FINGERPRINT, dimensions=3, memory_budget_mb=1200, cascade=None)
    assert plan.coarse is None
    (why,) = [decision for decision in plan.decisions if decision.what == "cascade"]
    assert (why.value, "from 25% on" in why.why) == ("none", True)
    asked = _plan(FINGERPRINT, dimensions=3, memory_budget_mb=1200, cascade=True)
    assert asked.coarse is not None
    assert asked.coarse.factors == (1, 2, 2)
    assert _plan(FINGERPRINT, dimensions=3, memory_budget_mb=300, cascade=False).coarse is None


def test_the_memory_of_hints_is_counted() -> None:
    def memory_mb(
        _: int, __: ArchitecturePlan, n_coarse_predictions: int, patch: tuple[int, int, int]
    ) -> tuple[float, float]:
        return 100.0, float(np.prod(patch)) * (1 + n_coarse_predictions) / 1000

    plan = _plan(FINGERPRINT, dimensions=3, memory_budget_mb=300, cascade=True, memory_mb=memory_mb)
    assert np.prod(plan.patch_size) * 2 / 1000 <= 200
    assert plan.coarse is not None
    assert plan.coarse.patch_size == (32, 64, 96)


def test_a_pinned_patch_bounds_that_of_the_first_stage() -> None:
    plan = _plan(FINGERPRINT, dimensions=3, memory_budget_mb=4000, cascade=True, patch_size=(16, 32, 48))
    assert plan.coarse is not None
    assert plan.patch_size == (16, 32, 48)
    assert plan.coarse.patch_size == (16, 32, 48)
    # 20 x 33 x 50 voxels of 6 mm: 0.8 * 0.96 * 0.96; of 5 mm in plane, with slices as they are, 0.4 * 0.8 * 0.8 = 26 %.
    assert plan.coarse.factors == (2, 6, 6)


def test_slices_are_no_cascade() -> None:
    with pytest.raises(ConfigError, match=r"plan\.dimensions 3 for plan\.cascade, found 2"):
        _plan(FINGERPRINT, cascade=True)
    assert _plan(FINGERPRINT, cascade=None).coarse is None


@pytest.mark.parametrize(
    ("spacing", "coarse", "factors"),
    [((3.0, 1.0, 1.0), 2, (1, 2, 2)), ((3.0, 1.0, 1.0), 6, (2, 6, 6)), ((1.0, 0.5, 2.5), 5, (2, 5, 1))],
)
def test_the_finest_axes_are_shrunk_first(spacing, coarse, factors) -> None:
    assert shrink_finest(spacing, coarse) == factors


def test_a_budget_that_holds_nothing_says_which_number_to_raise() -> None:
    with pytest.raises(ConfigError, match=r"plan.memory_budget_mb to hold 2 samples of 1 MB.*Raise it to 102"):
        _plan(FINGERPRINT, memory_budget_mb=100)


def test_a_pinned_batch_that_does_not_fit_is_refused_with_the_number_that_would() -> None:
    # 96 x 96 takes 9.216 MB: 40 of them 368.64, beside 100.
    pinned = {"patch_size": (3, 96, 96), "batch_size": 40}
    with pytest.raises(ConfigError, match=r"Raise it to 469"):
        _plan(FINGERPRINT, memory_budget_mb=468, **pinned)
    assert _plan(FINGERPRINT, memory_budget_mb=469, **pinned).batch_size == 40


@pytest.mark.parametrize(("slice_mm", "thick"), [(1.0, 0), (1.9, 0), (2.0, 1), (3.3, 1), (4.1, 2), (50.0, 4)])
def test_thick_slices_are_halved_from_where_pixels_are_nearly_as_large(slice_mm: float, thick: int) -> None:
    auto = ArchitecturePlan(
        name="residual_encoder_unet", options={"base_channels": 16, "depth": 4, "thick_levels": "auto"}
    )
    pinned = {"dimensions": 3, "spacing_mm": (slice_mm, 1.0, 1.0), "memory_budget_mb": 64000}
    plan = _plan(FINGERPRINT, architecture=auto, **pinned)
    assert plan.architecture.options["thick_levels"] == thick
    assert plan.patch_size[0] % (16 // 2**thick) == 0
    # 40 slices of 3 mm cover 120 mm.
    assert 0 <= plan.patch_size[0] - min(120 / slice_mm, 160) < 16 // 2**thick
    with pytest.raises(ConfigError, match=rf"multiples of {16 // 2**thick} x 16 x 16.*Set it to \[\d+, 32, 32\]"):
        _plan(FINGERPRINT, architecture=auto, patch_size=(2 * 16 // 2**thick, 24, 32), **pinned)
    assert _plan(FINGERPRINT, architecture=auto).architecture.options["thick_levels"] == 0


def test_a_patch_of_one_coarsest_voxel_is_never_chosen_and_refused() -> None:
    with pytest.raises(ConfigError, match="can't be normalized"):
        _plan(FINGERPRINT, patch_size=(3, 16, 16))
    tiny = summarize_facts([_facts(0, (3.0, 0.05, 0.05))])
    assert _plan(tiny, spacing_mm=(None, 1.0, 1.0)).patch_size == (3, 16, 32)
    with pytest.raises(ConfigError, match=r"Raise it to 10\d"):
        _plan(FINGERPRINT, memory_budget_mb=100)


def test_a_pinned_patch_has_the_context_that_is_pinned() -> None:
    with pytest.raises(ConfigError, match=r"begin with the 3 of plan.context_slices"):
        _plan(FINGERPRINT, patch_size=(1, 96, 96))


def test_ct_is_clipped_at_the_tumors_but_never_tighter_than_soft_tissue() -> None:
    plan = _plan(FINGERPRINT)
    assert (plan.channels[0].lower, plan.channels[0].upper) == (-150.0, 250.0)
    bright = summarize_facts([_facts(0, (3.0, 1.0, 1.0), tumor=(900.0, 5.0))])
    assert _plan(bright).channels[0].upper == pytest.approx(900 + 25.8, abs=6)


def test_pet_is_never_clipped_below_the_uptake_of_organs() -> None:
    assert _plan(FINGERPRINT).channels[1].upper == 10.0
    hot = summarize_facts([_facts(0, (3.0, 1.0, 1.0), tumor=(30.0, 22.0))])
    assert (_plan(hot).channels[1].lower, _plan(hot).channels[1].upper) == (0.0, 22.0)


def test_magnetic_resonance_has_no_constants() -> None:
    mr = Dataset(name="d", channels={"T1": "mr", "T2": "mr"}, labels={"tumor": 1}, regions={})
    assert all(channel.mean is None for channel in _plan(FINGERPRINT, mr).channels)


def test_pinned_values_stand_and_say_so() -> None:
    plan = _plan(
        FINGERPRINT, spacing_mm=(None, 2.0, 2.0), patch_size=(3, 96, 96), batch_size=7, ct_window_hu=(-100.0, 300.0)
    )
    assert (plan.spacing_mm[1:], plan.patch_size, plan.batch_size) == ((2.0, 2.0), (3, 96, 96), 7)
    assert (plan.channels[0].lower, plan.channels[0].upper) == (-100.0, 300.0)
    assert sum("pinned" in decision.why for decision in plan.decisions) == 5


def test_a_pinned_patch_larger_than_most_bodies_says_so() -> None:
    """A body of 200 x 300 voxels of 1 mm is one of 50 x 75 voxels of 4 mm."""
    reasons = {
        patch: next(d.why for d in _plan(FINGERPRINT, spacing_mm=(None, 4.0, 4.0), patch_size=patch).decisions
                    if d.what == "patch_size")
        for patch in ((3, 48, 80), (3, 96, 80))
    }  # fmt: skip
    assert "beyond" not in reasons[3, 48, 80]
    assert "50 x 75 voxels" in reasons[3, 96, 80]
    assert "lower plan.patch_size" in reasons[3, 96, 80]


def test_a_patch_that_the_network_can_not_halve_is_refused() -> None:
    with pytest.raises(ConfigError, match="multiples of 16"):
        _plan(FINGERPRINT, patch_size=(3, 90, 96))


def test_only_what_changes_an_array_changes_the_preprocessing_digest() -> None:
    plan = _plan(FINGERPRINT)
    assert _plan(FINGERPRINT, batch_size=2).preprocessing_digest() == plan.preprocessing_digest()
    assert _plan(FINGERPRINT, batch_size=2).digest() != plan.digest()
    for change in ({"spacing_mm": (None, 2.0, 2.0)}, {"denoising": "median"}, {"ct_window_hu": (0.0, 80.0)}):
        assert _plan(FINGERPRINT, **change).preprocessing_digest() != plan.preprocessing_digest()


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
    plan = _plan(fingerprint, pictures, dark_background=pinned)
    assert plan.channels[0].dark_background is turned
    (why,) = [decision.why for decision in plan.decisions if decision.what == "background of gray"]
    assert f"{n_bright * 10}% of the pictures are dark on a bright background" in why
    assert f"in {100 - n_bright * 10}% of them as they are, in 100% were those turned" in why
    assert why.startswith("pinned in params") is (pinned is not None)
