import numpy as np

from lesionflow.phantoms.patient import draw_patient

SEED = 5


def test_one_patient_in_ten_has_no_tumor() -> None:
    healthy = [draw_patient(7, index, "ct").healthy for index in range(30)]
    assert sum(healthy) == 3


def test_geometry_varies_over_patients() -> None:
    grids = [draw_patient(SEED, index, "ct").geometry for index in range(30)]
    oblique = [np.abs(np.abs(g.direction).max(axis=0) - 1).max() > 1e-4 for g in grids]
    unequal = [abs(g.spacing_mm[1] - g.spacing_mm[2]) > 0.05 for g in grids]
    assert 2 <= sum(oblique) <= 15
    assert 3 <= sum(unequal) <= 20
    assert len({round(g.spacing_mm[0], 3) for g in grids}) >= 3
    assert all(28 <= g.shape[0] <= 44 for g in grids)
