import tracemalloc

import numpy as np
import pytest

from lesionflow.io.dicom.contours.contour_pairs import has_channel, is_within, one_round, share_near, without_repeats

SQUARE = np.array([(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)])


def box(top, left, bottom, right):
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)], dtype=float)


OUTER = box(0, 0, 10, 20)
#: (inner, outer, one within the other)
PAIRS = {
    "inside": (box(2, 3, 5, 9), OUTER, True),
    "around": (OUTER, box(2, 3, 5, 9), False),
    "apart": (box(12, 3, 15, 9), OUTER, False),
    "crossing": (box(5, 3, 15, 9), OUTER, False),
    "a bar across, no corner of either in the other": (box(-3, 5, 13, 8), OUTER, False),
    "touching from within": (box(2, 3, 10, 9), OUTER, True),
    "touching from outside": (box(10, 3, 15, 9), OUTER, False),
    "touching from within, rounded": (box(2, 3, 10.01, 9), OUTER, True),
    "itself from another corner, the other way round": (np.roll(OUTER, 2, axis=0)[::-1], OUTER, True),
    "in the mouth of a horseshoe": (
        box(4, 8, 12, 12),
        np.array([(0, 0), (0, 20), (10, 20), (10, 14), (2, 14), (2, 6), (10, 6), (10, 0)], dtype=float),
        False,
    ),
    "over the hole of a keyhole": (
        box(3, 3, 7, 17),
        np.array([(0, 0), (0, 20), (10, 20), (10, 0), (0, 0), (4, 5), (6, 5), (6, 9), (4, 9), (4, 5)], dtype=float),
        False,
    ),
}


@pytest.mark.parametrize(("inner", "outer", "expected"), PAIRS.values(), ids=PAIRS)
def test_one_lies_within_another_or_not(inner, outer, expected):
    assert is_within(inner, outer) is expected
    assert is_within(inner[::-1] + 100, np.roll(outer, 1, axis=0) + 100) is expected


def test_a_long_contour_is_compared_in_parts():
    angle = np.linspace(0, 2 * np.pi, 3000, endpoint=False)
    circle = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    assert is_within(8 * circle, 9 * circle)
    assert not is_within(8 * circle + (0.0, 1.2), 9 * circle)


def test_a_seam_may_be_as_wide_as_told():
    assert is_within(box(2, 3, 10.8, 9), OUTER, 1.0)
    assert not is_within(box(2, 3, 11.2, 9), OUTER, 1.0)


def test_corners_that_repeat_are_dropped():
    written = np.repeat(SQUARE, 2, axis=0)[[0, 1, 2, 4, 5, 6, 0, 1]]
    np.testing.assert_array_equal(np.sort(without_repeats(written), axis=0), np.sort(SQUARE, axis=0))


def test_a_contour_run_round_twice_is_one_round():
    np.testing.assert_array_equal(one_round(np.tile(SQUARE, (2, 1))), SQUARE)
    np.testing.assert_array_equal(one_round(np.tile(SQUARE, (3, 1))), SQUARE)


def test_a_contour_that_comes_back_to_its_first_corner_is_not_two_rounds():
    bow = np.array([(0, 0), (0, 4), (2, 2), (0, 0), (4, 0), (2, -2)], dtype=float)
    np.testing.assert_array_equal(one_round(bow), bow)


def test_a_channel_is_an_edge_run_along_to_and_fro():
    keyhole = np.concatenate([OUTER, OUTER[:1], box(4, 5, 6, 9), box(4, 5, 6, 9)[:1]])
    assert has_channel(keyhole)
    assert not has_channel(OUTER)


def test_the_share_of_a_length_that_is_near():
    """Of 40 pixels of length the 10 of the lower side and 4.5 of each neighbor's lower end are more than 0.5 away."""
    assert share_near(box(0, 0, 10, 10), box(0, 0, 5, 10), 0.5) == pytest.approx((10 + 2 * 5.5) / 40, abs=0.01)
    assert share_near(box(0, 0, 10, 10), box(1, 1, 9, 9), 1.001) == pytest.approx(32 / 40, abs=0.02)


def test_points_are_compared_with_a_hundred_thousand_edges_in_little_memory():
    """64 points and 100,000 edges at once would be 102 MB an array, of which six are needed."""
    saw = np.array([(60.0 * (n % 2), n / 1000) for n in range(100_000)])
    tracemalloc.start()
    try:
        assert is_within(saw[:96] + np.array([0, 0.0005]), saw)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_a_line_of_many_steps_is_counted_before_it_is_walked():
    class TooManyError(Exception):
        pass

    def count(n):
        # The border of 40 million pixels, looked at four times a pixel, beside four edges.
        assert n == 4 * 40_000_000 * 4
        raise TooManyError

    with pytest.raises(TooManyError):
        share_near(box(0, 0, 1e7, 1e7), box(1, 1, 9, 9), 0.5, count)
