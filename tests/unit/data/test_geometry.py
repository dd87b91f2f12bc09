import numpy as np
import pytest
import SimpleITK

from lesionflow.data.geometry import Geometry
from lesionflow.errors import InputError

SHAPE, SPACING = (5, 7, 11), (3.0, 0.8, 0.5)
#: Columns: where slices, rows and columns go; a rotation worked out by hand (3-4-5 triangles).
OBLIQUE = np.array([[0.48, -0.36, 0.8], [-0.64, 0.48, 0.6], [0.6, 0.8, 0.0]])
ORIGIN = (-31.5, 12.25, 400.75)


@pytest.fixture
def oblique():
    return Geometry.from_parts(SHAPE, SPACING, ORIGIN, OBLIQUE)


def test_a_voxel_lies_where_hand_computation_puts_it(oblique):
    # 2 slices of 3 mm, 3 rows of 0.8 mm, 4 columns of 0.5 mm
    by_hand = np.array(ORIGIN) + 6.0 * OBLIQUE[:, 0] + 2.4 * OBLIQUE[:, 1] + 2.0 * OBLIQUE[:, 2]
    np.testing.assert_allclose(oblique.to_lps((2, 3, 4)), by_hand, atol=1e-12)


def test_simpleitk_agrees(oblique):
    image = SimpleITK.Image(SHAPE[::-1], SimpleITK.sitkUInt8)
    image.SetSpacing(SPACING[::-1])
    image.SetOrigin(ORIGIN)
    image.SetDirection(OBLIQUE[:, ::-1].ravel().tolist())
    for index in ((0, 0, 0), (4, 6, 10), (1, 5, 2)):
        np.testing.assert_allclose(oblique.to_lps(index), image.TransformIndexToPhysicalPoint(index[::-1]), atol=1e-9)


def test_index_to_lps_and_back_is_the_index(oblique):
    index = np.random.default_rng(0).uniform(-3, 20, (50, 3))
    np.testing.assert_allclose(oblique.to_index(oblique.to_lps(index)), index, atol=1e-9)


def test_parts_are_what_was_given(oblique):
    np.testing.assert_allclose(oblique.spacing_mm, SPACING)
    np.testing.assert_allclose(oblique.direction, OBLIQUE, atol=1e-12)
    np.testing.assert_allclose(oblique.origin_mm, ORIGIN)
    assert oblique.voxel_volume_ml == pytest.approx(3.0 * 0.8 * 0.5 / 1000)


def test_without_a_direction_slices_grow_to_the_head_rows_to_the_back_columns_to_the_left():
    geometry = Geometry.from_parts(SHAPE, SPACING)
    np.testing.assert_allclose(geometry.to_lps((1, 0, 0)), (0, 0, 3.0))
    np.testing.assert_allclose(geometry.to_lps((0, 1, 0)), (0, 0.8, 0))
    np.testing.assert_allclose(geometry.to_lps((0, 0, 1)), (0.5, 0, 0))


def test_corners_are_the_centers_of_the_corner_voxels(oblique):
    corners = oblique.corners_mm()
    assert corners.shape == (8, 3)
    np.testing.assert_allclose(corners[0], ORIGIN)
    np.testing.assert_allclose(corners[-1], oblique.to_lps((4, 6, 10)))


def test_a_left_handed_grid_is_a_grid():
    mirrored = np.array([[0, 0, -1.0], [0, 1, 0], [1, 0, 0]])
    np.testing.assert_allclose(Geometry.from_parts(SHAPE, SPACING, direction=mirrored).to_lps((0, 0, 2)), (-1.0, 0, 0))


def test_the_affine_can_not_be_written_to(oblique):
    with pytest.raises(ValueError, match="read-only"):
        oblique.affine[0, 0] = 1.0


def test_the_callers_array_is_not_frozen():
    affine = np.eye(4)
    Geometry(SHAPE, affine)
    affine[0, 0] = 2.0


class TestSameGrid:
    def test_it_is_itself(self, oblique):
        assert oblique.same_grid(Geometry(SHAPE, oblique.affine))

    @pytest.mark.parametrize(
        ("what", "other"),
        [
            ("slices", Geometry.from_parts((6, 7, 11), SPACING, ORIGIN, OBLIQUE)),
            ("rows", Geometry.from_parts((5, 8, 11), SPACING, ORIGIN, OBLIQUE)),
            ("columns", Geometry.from_parts((5, 7, 12), SPACING, ORIGIN, OBLIQUE)),
            ("slice spacing", Geometry.from_parts(SHAPE, (3.1, 0.8, 0.5), ORIGIN, OBLIQUE)),
            ("row spacing", Geometry.from_parts(SHAPE, (3.0, 0.82, 0.5), ORIGIN, OBLIQUE)),
            ("column spacing", Geometry.from_parts(SHAPE, (3.0, 0.8, 0.51), ORIGIN, OBLIQUE)),
            ("origin", Geometry.from_parts(SHAPE, SPACING, (-31.45, 12.25, 400.75), OBLIQUE)),
            ("direction", Geometry.from_parts(SHAPE, SPACING, ORIGIN)),
            ("mirrored", Geometry.from_parts(SHAPE, SPACING, ORIGIN, OBLIQUE * [1, 1, -1])),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_each_thing_alone_makes_it_another(self, oblique, what, other):
        assert not oblique.same_grid(other), what
        assert not other.same_grid(oblique), what

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_spacing_counts_along_an_axis_of_one_voxel(self, axis):
        shape, wider = [5, 7, 11], list(SPACING)
        shape[axis] = 1
        wider[axis] *= 1.5
        one = Geometry.from_parts(tuple(shape), SPACING, ORIGIN, OBLIQUE)
        assert not one.same_grid(Geometry.from_parts(tuple(shape), tuple(wider), ORIGIN, OBLIQUE))

    def test_the_tolerance_is_in_voxels(self, oblique):
        moved = Geometry.from_parts(SHAPE, SPACING, np.array(ORIGIN) + 0.02 * OBLIQUE[:, 2], OBLIQUE)
        assert not oblique.same_grid(moved)  # 0.02 mm are 0.04 columns
        assert oblique.same_grid(moved, tolerance_voxels=0.05)

    def test_rounding_of_headers_is_no_difference(self, oblique):
        assert oblique.same_grid(Geometry(SHAPE, np.round(oblique.affine, 5)))


@pytest.mark.parametrize(
    ("shape", "affine"),
    [
        ((5, 7), np.eye(4)),
        ((5, 0, 11), np.eye(4)),
        ((5, 7.5, 11), np.eye(4)),
        (SHAPE, np.eye(3)),
        (SHAPE, np.full((4, 4), np.nan)),
        (SHAPE, np.diag([1.0, 1.0, 1.0, 2.0])),
        (SHAPE, np.diag([1.0, 0.0, 1.0, 1.0])),
        (SHAPE, np.array([[1, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])),
    ],
    ids=["two axes", "no rows", "half a row", "3 x 3", "NaN", "last row", "zero spacing", "sheared"],
)
def test_what_can_not_be_a_grid_is_refused(shape, affine):
    with pytest.raises(InputError) as caught:
        Geometry(shape, affine)
    assert caught.value.reason == "invalid_geometry"
