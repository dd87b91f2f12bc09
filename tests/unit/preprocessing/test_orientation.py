import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.transform import Rotation

from lesionflow.data.geometry import Geometry
from lesionflow.preprocessing.orientation import find_orientation, reorient, reorient_geometry

#: Rounding of float32 fields of about 30.
FLOAT32_TOLERANCE = 2e-5
GRADIENT = np.array([0.3, -0.2, 0.7])


def _field(geometry: Geometry) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    return (geometry.to_lps(index) @ GRADIENT + 5.0)[None].astype(np.float32)


@pytest.mark.parametrize("angles", [(0, 0, 0), (170, 8, 95), (90, 0, 0), (5, 80, -100)])
def test_reordering_axes_moves_no_voxel_and_is_undone_exactly(angles: tuple[int, int, int]) -> None:
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    geometry = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5), (1.0, 2.0, 3.0), turn)
    orientation = find_orientation(geometry)
    moved = reorient_geometry(geometry, orientation)
    np.testing.assert_allclose(reorient(_field(geometry), orientation), _field(moved), atol=FLOAT32_TOLERANCE)
    back = np.empty_like(_field(geometry))
    reorient(back, orientation)[:] = reorient(_field(geometry), orientation)
    assert np.array_equal(back, _field(geometry))
    # Slices grow towards the head, rows to the back, columns to the left, as nearly as the grid allows.
    assert all(moved.direction[lps, axis] > 0 for axis, lps in enumerate((2, 1, 0)))


def test_axes_are_ordered_as_scipys_assignment_orders_them() -> None:
    for turn in Rotation.random(500, rng=np.random.default_rng(5)).as_matrix():
        geometry = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5), (1.0, 2.0, 3.0), turn)
        _, order = linear_sum_assignment(-np.abs(geometry.direction[[2, 1, 0]]))
        assert find_orientation(geometry).order == tuple(order)
