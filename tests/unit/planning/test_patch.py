import numpy as np
import pytest

from lesionflow.data.dataset import Dataset
from lesionflow.data.fingerprint import CaseFacts, Fingerprint
from lesionflow.data.plan import ArchitecturePlan, InferencePlan, Plan
from lesionflow.errors import ConfigError
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


def test_a_budget_that_holds_nothing_says_which_number_to_raise() -> None:
    with pytest.raises(ConfigError, match=r"plan.memory_budget_mb to hold 2 samples of 1 MB.*Raise it to 102"):
        _plan(FINGERPRINT, memory_budget_mb=100)


def test_a_pinned_batch_that_does_not_fit_is_refused_with_the_number_that_would() -> None:
    # 96 x 96 takes 9.216 MB: 40 of them 368.64, beside 100.
    pinned = {"patch_size": (3, 96, 96), "batch_size": 40}
    with pytest.raises(ConfigError, match=r"Raise it to 469"):
        _plan(FINGERPRINT, memory_budget_mb=468, **pinned)
    assert _plan(FINGERPRINT, memory_budget_mb=469, **pinned).batch_size == 40


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


def test_a_patch_that_the_network_can_not_halve_is_refused() -> None:
    with pytest.raises(ConfigError, match="multiples of 16"):
        _plan(FINGERPRINT, patch_size=(3, 90, 96))
