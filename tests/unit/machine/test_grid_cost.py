"""Grids that a study is resampled to, at their limits and one step beyond them."""

import pytest

from lesionflow.errors import InputError
from lesionflow.machine import study_budget as budget
from lesionflow.machine import volume_cost
from lesionflow.machine.grid_cost import MAX_SHRINK, require_grid
from lesionflow.machine.volume_cost import require_volume

CT = (300, 512, 512), (1.0, 0.8, 0.8)


def reason(call, *values, **named):
    with pytest.raises(InputError, match="c-1") as refusal:
        call(*values, name="c-1", **named)
    return refusal.value.reason


@pytest.fixture
def much_memory(monkeypatch):
    monkeypatch.setattr(volume_cost, "available_bytes", lambda: 1 << 40)


@pytest.mark.usefixtures("much_memory")
class TestModelGrids:
    def test_a_grid_at_the_models_spacing_is_told_from_the_header(self):
        with budget.study_budget((1.0, 1.0, 1.0)):
            require_volume((100, 512, 512), (5.0, 0.8, 0.8), name="c-1", itemsize=2)
            # 512 x 9 mm, twice, and 300 x 9 mm are 57 liters: 57 billion voxels of 1 mm.
            assert reason(require_volume, (300, 512, 512), (9.0, 9.0, 9.0), itemsize=2) == "oversized_model_grid"

    def test_voxels_too_fine_for_a_model_are_refused(self):
        with budget.study_budget((5.0, 1.0, 1.0)):
            require_volume((100, 500, 500), (0.1, 0.1, 0.1), name="c-1", itemsize=2)
            assert reason(require_volume, (100, 500, 500), (0.01, 0.01, 0.01), itemsize=2) == "implausible_spacing"

    def test_an_axis_that_keeps_its_own_spacing_costs_nothing(self):
        with budget.study_budget((None, 1.0, 1.0)):
            require_volume((100, 512, 512), (0.001, 0.8, 0.8), name="c-1", itemsize=2)
            # Which of the three axes it is is not known yet: the cheapest counts.
            require_volume((512, 512, 100), (0.8, 0.8, 0.001), name="c-1", itemsize=2)

    def test_resampling_is_bounded_both_ways(self):
        require_grid((MAX_SHRINK**-1, 1, 1), (5, 7, 11), (1, 1, 1), name="c-1")
        assert reason(require_grid, (0.9 / MAX_SHRINK, 1, 1), (5, 7, 11), (1, 1, 1)) == "implausible_spacing"
        assert reason(require_grid, (9, 9, 9), (2700, 4608, 4608), (1, 1, 1)) == "oversized_model_grid"
