"""Which places are believed: 4 x 5 x 6 voxels of 4, 3, 2 mm (slice, row, column), and masks whose place is known by hand."""

import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import GeometryMismatchError
from lesionflow.io.images.placement import put_on
from lesionflow.io.notes import collected

SPACING = (4.0, 3.0, 2.0)
ORIGIN = (-10.0, -20.0, 30.0)
GRID = Geometry.from_parts((4, 5, 6), SPACING, ORIGIN)
AT_0 = Geometry.from_parts((4, 5, 6), SPACING)


def put(shape, origin, grid=GRID, marked=(1, 1, 1), spacing=SPACING, direction=None, what="mask"):
    made = np.zeros(shape, np.uint8)
    made[marked] = 1
    own = Geometry.from_parts(shape, spacing, origin, direction, spacing_known=grid.spacing_known)
    with collected() as notes:
        placed = put_on(Mask(made, own), grid, name="c-1", what=what)
    return np.argwhere(placed.labels).tolist(), [note.code for note in notes]


@pytest.mark.parametrize("shape", [(1, 4, 5), (1, 5, 5), (1, 3, 3), (1, 7, 9)])
def test_a_picture_of_another_size_is_never_a_part(shape):
    picture = Geometry.from_parts((1, 5, 6), (1.0, 1.0, 1.0), spacing_known=False)
    with pytest.raises(GeometryMismatchError):
        put(shape, (0, 0, 0), picture, (0, 0, 0), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("shape", [(2, 3, 4), (4, 5, 5), (3, 5, 6)])
def test_an_origin_of_0_says_nothing_of_a_part(shape):
    with pytest.raises(GeometryMismatchError):
        put(shape, (0, 0, 0), AT_0)


def test_a_part_with_the_origin_of_its_image_may_have_been_resized():
    with pytest.raises(GeometryMismatchError):
        put((2, 3, 3), ORIGIN)
    # The last slice alone is absent: nothing was resized.
    assert put((3, 5, 6), ORIGIN) == ([[1, 1, 1]], ["mask_of_a_part"])
    with pytest.raises(GeometryMismatchError):
        put((8, 10, 12), ORIGIN)


def test_a_part_lies_where_its_header_says():
    # One column, two rows, one slice further on.
    assert put((3, 3, 5), (-8, -14, 34), marked=(0, 0, 0)) == ([[1, 2, 1]], ["mask_of_a_part"])


#: Columns to the right, rows to the front, slices up: the origin lies at the other end.
TURNED = np.array([[0, 0, -1], [0, -1, 0], [1, 0, 0]])


def test_the_same_voxels_in_another_order_are_believed_whatever_their_origin():
    grid = Geometry.from_parts((4, 5, 6), SPACING, (10, 12, 0), TURNED)
    # Row 1 of 5 counted from the front is row 3 from the back, column 1 of 6 is 4.
    assert put((4, 5, 6), (0, 0, 0), grid) == ([[1, 3, 4]], ["mask_reordered"])


@pytest.mark.parametrize("direction", [None, TURNED])
def test_an_identity_is_no_place(direction):
    other = TURNED if direction is None else None
    end = (5, 4, 0) if direction is None else (-5, -4, 0)
    grid = Geometry.from_parts((4, 5, 6), (1.0, 1.0, 1.0), end, other)
    with pytest.raises(GeometryMismatchError):
        put((4, 5, 6), (0, 0, 0), grid, spacing=(1.0, 1.0, 1.0), direction=direction)


@pytest.mark.parametrize("what", ["mask", "segments"])
def test_an_empty_border_is_cut_and_said(what):
    # A slice, two rows and three columns before the image, as much behind.
    around = ((6, 9, 12), (-16, -26, 26))
    assert put(*around, marked=(2, 3, 4), what=what) == ([[1, 1, 1]], ["mask_beyond_image"])
    with pytest.raises(GeometryMismatchError, match="beyond"):
        put(*around, marked=(0, 3, 4), what=what)


def test_segments_cut_to_what_was_drawn_are_the_rule():
    assert put((3, 3, 5), (-8, -14, 34), marked=(0, 0, 0), what="segments") == ([[1, 2, 1]], [])


def test_a_grid_moved_along_its_image_is_refused():
    with pytest.raises(GeometryMismatchError):
        put((4, 5, 6), (-8, -20, 30))
