import numpy as np
import pytest

from lesionflow.data.plan import ArchitecturePlan
from lesionflow.errors import ConfigError
from lesionflow.planning.cascade import shrink_finest
from support.plans import FINGERPRINT, plan_of


def test_a_patch_that_sees_little_of_the_body_is_told_the_rest_by_a_first_stage() -> None:
    # The body is 40 x 200 x 300 voxels of 3 x 1 x 1 mm; 300 MB hold one patch of 200,000 voxels: 16 x 96 x 128, which covers
    # 0.4 * 0.48 * 0.427 = 8.2 % of it. Three times as coarse in plane, 40 x 66.7 x 100 voxels, one of 32 x 64 x 96 covers
    # 0.8 * 0.96 * 0.96 = 74 %; twice as coarse, 16 x 80 x 112 of 40 x 100 x 150 covered 24 %.
    plan = plan_of(FINGERPRINT, dimensions=3, memory_budget_mb=300, cascade=None)
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
    plan = plan_of(FINGERPRINT, dimensions=3, memory_budget_mb=1200, cascade=None)
    assert plan.coarse is None
    (why,) = [decision for decision in plan.decisions if decision.what == "cascade"]
    assert (why.value, "from 25% on" in why.why) == ("none", True)
    asked = plan_of(FINGERPRINT, dimensions=3, memory_budget_mb=1200, cascade=True)
    assert asked.coarse is not None
    assert asked.coarse.factors == (1, 2, 2)
    assert plan_of(FINGERPRINT, dimensions=3, memory_budget_mb=300, cascade=False).coarse is None


def test_the_memory_of_hints_is_counted() -> None:
    def memory_mb(
        _: int, __: ArchitecturePlan, n_coarse_predictions: int, patch: tuple[int, int, int]
    ) -> tuple[float, float]:
        return 100.0, float(np.prod(patch)) * (1 + n_coarse_predictions) / 1000

    plan = plan_of(FINGERPRINT, dimensions=3, memory_budget_mb=300, cascade=True, memory_mb=memory_mb)
    assert np.prod(plan.patch_size) * 2 / 1000 <= 200
    assert plan.coarse is not None
    assert plan.coarse.patch_size == (32, 64, 96)


def test_a_pinned_patch_bounds_that_of_the_first_stage() -> None:
    plan = plan_of(FINGERPRINT, dimensions=3, memory_budget_mb=4000, cascade=True, patch_size=(16, 32, 48))
    assert plan.coarse is not None
    assert plan.patch_size == (16, 32, 48)
    assert plan.coarse.patch_size == (16, 32, 48)
    # 20 x 33 x 50 voxels of 6 mm: 0.8 * 0.96 * 0.96; of 5 mm in plane, with slices as they are, 0.4 * 0.8 * 0.8 = 26 %.
    assert plan.coarse.factors == (2, 6, 6)


def test_slices_are_no_cascade() -> None:
    with pytest.raises(ConfigError, match=r"plan\.dimensions 3 for plan\.cascade, found 2"):
        plan_of(FINGERPRINT, cascade=True)
    assert plan_of(FINGERPRINT, cascade=None).coarse is None


@pytest.mark.parametrize(
    ("spacing", "coarse", "factors"),
    [((3.0, 1.0, 1.0), 2, (1, 2, 2)), ((3.0, 1.0, 1.0), 6, (2, 6, 6)), ((1.0, 0.5, 2.5), 5, (2, 5, 1))],
)
def test_the_finest_axes_are_shrunk_first(spacing, coarse, factors) -> None:
    assert shrink_finest(spacing, coarse) == factors
