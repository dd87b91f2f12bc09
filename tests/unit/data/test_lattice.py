"""Masks in another order than their image: each marked voxel is followed by hand through patient space."""

from itertools import permutations, product

import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.data.lattice import reordered
from lesionflow.data.volume import Mask

GRID = Geometry.from_parts((4, 5, 6), (4.0, 3.0, 2.0), (-10.0, -20.0, 30.0))
MARKED = [(0, 0, 0), (1, 2, 3), (3, 4, 1)]


def labels(shape=GRID.shape, marked=MARKED):
    made = np.zeros(shape, np.uint8)
    for number, index in enumerate(marked, 1):
        made[index] = number
    return made


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
def test_any_order_and_direction_of_axes_comes_back(order, signs):
    # Column i of `matrix` is the step on the grid along the mask's axis i; a flipped axis begins at its other end.
    matrix, start = np.eye(4), np.zeros(3)
    matrix[:3, :3] = 0
    for axis, (to, sign) in enumerate(zip(order, signs, strict=True)):
        matrix[to, axis] = sign
        start[to] = GRID.shape[to] - 1 if sign < 0 else 0
    matrix[:3, 3] = start
    turned = Geometry(tuple(GRID.shape[to] for to in order), GRID.affine @ matrix)
    back = np.linalg.inv(matrix)
    made = np.zeros(turned.shape, np.uint8)
    for number, index in enumerate(MARKED, 1):
        made[tuple(np.rint(back[:3] @ [*index, 1]).astype(int))] = number
    found = reordered(Mask(made, turned), GRID)
    np.testing.assert_array_equal(found.labels, labels())
    assert found.geometry is GRID


def test_a_part_lies_where_it_was_cut_out():
    box = (slice(1, 3), slice(2, 5), slice(0, 4))
    part = Mask(labels()[box], GRID.cut(box))
    np.testing.assert_array_equal(reordered(part, GRID).labels, labels(marked=[MARKED[0], MARKED[1]]) // 2 * 2)


@pytest.mark.parametrize(
    "other",
    [
        Geometry.from_parts((4, 5, 6), (4.0, 3.0, 2.0), (-10.0, -20.0, 34.0)),  # a slice further up: beyond the image
        Geometry.from_parts((2, 5, 6), (8.0, 3.0, 2.0), (-10.0, -20.0, 30.0)),  # every second slice
        Geometry.from_parts((4, 5, 6), (4.0, 3.0, 2.0), (-9.9, -20.0, 30.0)),  # a twentieth of a voxel aside
        Geometry.from_parts((3, 5, 6), (4.0, 3.0, 2.0), (-10.0, -20.0, 26.0)),  # begins below
    ],
)
def test_voxels_that_are_not_the_grids_are_none(other):
    assert reordered(Mask(np.zeros(other.shape, np.uint8), other), GRID) is None


def test_what_lies_beyond_is_cut_where_it_is_empty():
    around = Geometry.from_parts(
        (6, 5, 7), (4.0, 3.0, 2.0), (-12.0, -20.0, 26.0)
    )  # a slice below and above, a column before
    made = np.zeros(around.shape, np.uint8)
    made[1:5, :, 1:7] = labels()
    np.testing.assert_array_equal(reordered(Mask(made, around), GRID).labels, labels())
    made[0, 0, 0] = 1
    assert reordered(Mask(made, around), GRID) is None
