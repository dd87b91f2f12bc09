from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path

from lesionflow.io.dicom.contours.filling import fill_contour

SHAPE = (7, 11)
SQUARE = np.array([(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)])
HOLE = np.array([(1.5, 2.5), (1.5, 4.5), (3.5, 4.5), (3.5, 2.5)])
#: Runs along columns 1 to 7 and back across itself: one half above the crossing, one below.
EIGHT = np.array([(0.5, 1.5), (4.5, 7.5), (0.5, 7.5), (4.5, 1.5)])


def pixels(corners, shape=SHAPE):
    """The whole slice, of which a contour fills a box."""
    plane = np.zeros(shape, dtype=bool)
    filled = fill_contour(np.asarray(corners, dtype=float), shape)
    plane[filled.box] = filled.inside
    return plane


def block(rows, columns, shape=SHAPE):
    plane = np.zeros(shape, dtype=bool)
    plane[slice(*rows), slice(*columns)] = True
    return plane


def even_odd(corners, shape):
    """Exactly, in fractions: a center is inside when an odd number of edges lies at it or before it in its row."""
    exact = [(Fraction(i), Fraction(j)) for i, j in corners]
    plane = np.zeros(shape, dtype=bool)
    for row in range(shape[0]):
        crossings = [
            j0 + (row - i0) * (j1 - j0) / (i1 - i0)
            for (i0, j0), (i1, j1) in zip(exact, exact[1:] + exact[:1], strict=True)
            if (i0 <= row) != (i1 <= row)
        ]
        for column in range(shape[1]):
            plane[row, column] = sum(crossing <= column for crossing in crossings) % 2
    return plane


def test_a_pixel_belongs_when_its_center_lies_inside():
    np.testing.assert_array_equal(pixels(SQUARE), block((1, 5), (2, 7)))


def test_no_more_than_the_contours_box_is_touched():
    filled = fill_contour(SQUARE, (512, 512))
    assert filled.box == (slice(1, 5), slice(2, 7))
    assert filled.inside.all()


def test_a_keyhole_is_a_hole():
    """A channel of no width leads from the outer contour to the hole and back."""
    keyhole = np.concatenate([SQUARE[:1], SQUARE[3:], SQUARE[2:3], SQUARE[1:2], SQUARE[:1], HOLE, HOLE[:1]])
    np.testing.assert_array_equal(pixels(keyhole), block((1, 5), (2, 7)) & ~block((2, 4), (3, 5)))


def test_two_that_share_an_edge_through_centers_hold_each_center_once():
    left = [(0.5, 0.5), (0.5, 4.0), (4.5, 4.0), (4.5, 0.5)]
    right = [(0.5, 4.0), (0.5, 8.5), (4.5, 8.5), (4.5, 4.0)]
    np.testing.assert_array_equal(pixels(left) ^ pixels(right), block((1, 5), (1, 9)))
    assert not (pixels(left) & pixels(right)).any()


def test_a_corner_on_a_row_of_centers_counts_once():
    inside = pixels([(3.0, 1.0), (1.0, 5.2), (3.0, 9.4), (5.0, 5.2)])
    assert inside[3].tolist() == [False] + [True] * 9 + [False]
    assert inside[0].sum() == 0
    assert inside[6].sum() == 0


def test_what_lies_beyond_the_slice_is_cut_off():
    large = np.array([(-3.0, -4.0), (-3.0, 20.0), (12.0, 20.0), (12.0, -4.0)])
    assert pixels(large).all()
    assert not pixels(large + 40).any()
    assert not pixels(large - 40).any()


def test_both_halves_of_a_figure_of_eight_are_inside():
    # Between the two diagonals, which cross at (2.5, 4.5), and columns 1.5 and 7.5.
    expected = np.zeros(SHAPE, dtype=bool)
    expected[1:5, [2, 7]] = expected[2:4, [3, 6]] = True
    np.testing.assert_array_equal(pixels(EIGHT), expected)
    assert fill_contour(EIGHT, SHAPE).n_twice == 0


def test_what_a_contour_runs_round_twice_is_outside_and_counted():
    loop = [(0.5, 0.5), (0.5, 8.5), (5.5, 8.5), (5.5, 2.5), (2.5, 2.5), (2.5, 6.5), (6.5, 6.5), (6.5, 0.5)]
    twice = fill_contour(np.array(loop), SHAPE).n_twice
    np.testing.assert_array_equal(pixels(loop), even_odd(loop, SHAPE))
    assert twice == 12  # rows 3 to 5, columns 3 to 6


@pytest.mark.parametrize("seed", range(8))
def test_matplotlib_agrees_on_stars(seed):
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 40))
    radius = rng.uniform(4, 18, 40)
    star = np.stack([20.3 + radius * np.sin(angle), 26.7 + radius * np.cos(angle)], axis=1)
    rows, columns = np.mgrid[:41, :53]
    expected = Path(star).contains_points(np.stack([rows.ravel(), columns.ravel()], axis=1)).reshape(41, 53)
    np.testing.assert_array_equal(pixels(star, (41, 53)), expected)


#: Eighths of a pixel: corners and edges often lie on centers, and sums of them are exact.
EIGHTHS = st.integers(-16, 100).map(lambda n: n / 8)
POLYGONS = st.lists(st.tuples(EIGHTHS, EIGHTHS), min_size=3, max_size=9)


@given(POLYGONS)
def test_any_polygon_is_filled_as_exact_fractions_say(corners):
    np.testing.assert_array_equal(pixels(corners, (9, 12)), even_odd(corners, (9, 12)))


@given(POLYGONS, st.integers(0, 8), st.booleans())
def test_neither_first_corner_nor_sense_matters(corners, turn, reverse):
    turned = np.roll(corners, turn, axis=0)[:: -1 if reverse else 1]
    np.testing.assert_array_equal(pixels(turned), pixels(corners))


@given(POLYGONS, st.integers(0, 5), st.integers(0, 5))
def test_moved_by_whole_pixels_it_fills_the_pixels_moved(corners, rows, columns):
    moved = pixels(np.array(corners) + np.array((rows + 3, columns + 3)), (30, 30))
    np.testing.assert_array_equal(moved[rows:, columns:][:20, :20], pixels(np.array(corners) + 3, (20, 20))[:20, :20])


@given(POLYGONS)
def test_its_halves_are_the_whole(corners):
    """Cut from the first corner to the middle one: the cut runs to and fro, so each center is in one half or in none."""
    middle = len(corners) // 2
    one, other = corners[: middle + 1], corners[middle:] + corners[:1]
    np.testing.assert_array_equal(pixels(one) ^ pixels(other), pixels(corners))


def test_a_contour_that_would_fill_the_memory_is_refused():
    """Up and down over 512 rows, 16,000 times: 8.2 million crossings."""
    up_and_down = np.array([(511.0 * (n % 2), n / 100) for n in range(16000)])
    with pytest.raises(ValueError, match="crosses the rows"):
        fill_contour(up_and_down, (512, 512))
    fill_contour(up_and_down[:3000], (512, 512))
