import numpy as np
import pytest
from matplotlib.path import Path

from lesionflow.io.dicom.contours import fill_contours

SHAPE = (7, 11)
SQUARE = np.array([(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)])
HOLE = np.array([(1.5, 2.5), (1.5, 4.5), (3.5, 4.5), (3.5, 2.5)])


def test_a_pixel_belongs_when_its_center_lies_inside():
    expected = np.zeros(SHAPE, dtype=bool)
    expected[1:5, 2:7] = True
    np.testing.assert_array_equal(fill_contours([SQUARE], SHAPE), expected)


@pytest.mark.parametrize("turn", [1, 2, 3])
@pytest.mark.parametrize("direction", [1, -1])
def test_neither_first_corner_nor_sense_matters(turn, direction):
    corners = np.roll(SQUARE, turn, axis=0)[::direction]
    np.testing.assert_array_equal(fill_contours([corners], SHAPE), fill_contours([SQUARE], SHAPE))


def test_a_contour_inside_another_is_a_hole():
    expected = np.zeros(SHAPE, dtype=bool)
    expected[1:5, 2:7] = True
    expected[2:4, 3:5] = False
    np.testing.assert_array_equal(fill_contours([SQUARE, HOLE], SHAPE), expected)


def test_a_keyhole_is_the_same_hole():
    """A channel of no width leads from the outer contour to the hole and back."""
    keyhole = np.concatenate([SQUARE[:1], SQUARE[3:], SQUARE[2:3], SQUARE[1:2], SQUARE[:1], HOLE, HOLE[:1]])
    np.testing.assert_array_equal(fill_contours([keyhole], SHAPE), fill_contours([SQUARE, HOLE], SHAPE))


def test_two_that_share_an_edge_through_centers_hold_each_center_once():
    left = np.array([(0.5, 0.5), (0.5, 4.0), (4.5, 4.0), (4.5, 0.5)])
    right = np.array([(0.5, 4.0), (0.5, 8.5), (4.5, 8.5), (4.5, 4.0)])
    expected = np.zeros(SHAPE, dtype=bool)
    expected[1:5, 1:9] = True
    np.testing.assert_array_equal(fill_contours([left, right], SHAPE), expected)
    assert not (fill_contours([left], SHAPE) & fill_contours([right], SHAPE)).any()


def test_a_corner_on_a_row_of_centers_counts_once():
    diamond = np.array([(3.0, 1.0), (1.0, 5.2), (3.0, 9.4), (5.0, 5.2)])
    inside = fill_contours([diamond], SHAPE)
    assert inside[3].tolist() == [False] + [True] * 9 + [False]
    assert inside[0].sum() == 0
    assert inside[6].sum() == 0


def test_what_lies_beyond_the_slice_is_cut_off():
    large = np.array([(-3.0, -4.0), (-3.0, 20.0), (12.0, 20.0), (12.0, -4.0)])
    assert fill_contours([large], SHAPE).all()
    assert not fill_contours([large + 40], SHAPE).any()


@pytest.mark.parametrize("seed", range(8))
def test_matplotlib_agrees_on_stars(seed):
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 40))
    radius = rng.uniform(4, 18, 40)
    star = np.stack([20.3 + radius * np.sin(angle), 26.7 + radius * np.cos(angle)], axis=1)
    rows, columns = np.mgrid[:41, :53]
    expected = Path(star).contains_points(np.stack([rows.ravel(), columns.ravel()], axis=1)).reshape(41, 53)
    np.testing.assert_array_equal(fill_contours([star], (41, 53)), expected)
