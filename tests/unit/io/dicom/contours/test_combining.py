import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionflow.errors import DicomError
from lesionflow.io.dicom.contours.account import Account
from lesionflow.io.dicom.contours.combining import combine
from lesionflow.io.dicom.contours.points import Contour

SHAPE = (24, 28)


def box(top, left, bottom, right):
    """Corners between the centers: rows top to bottom - 1, columns left to right - 1 lie inside."""
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)]) - 0.5


def combined(*corners, exclusive=False, account=None):
    return combine([Contour(c, exclusive) for c in corners], SHAPE, account or Account("c-1", "GTV"))


def block(top, left, bottom, right):
    plane = np.zeros(SHAPE, dtype=bool)
    plane[top:bottom, left:right] = True
    return plane


A, B = box(2, 3, 12, 23), box(8, 10, 18, 26)
IN_A, IN_BOTH = box(3, 4, 6, 8), box(9, 12, 11, 14)
CASES = {
    "one": ([A], block(2, 3, 12, 23)),
    "apart": ([A, box(14, 3, 18, 9)], block(2, 3, 12, 23) | block(14, 3, 18, 9)),
    "a hole": ([A, IN_A], block(2, 3, 12, 23) & ~block(3, 4, 6, 8)),
    "a hole, told first": ([IN_A, A], block(2, 3, 12, 23) & ~block(3, 4, 6, 8)),
    "a hole the other way round": ([A, IN_A[::-1]], block(2, 3, 12, 23) & ~block(3, 4, 6, 8)),
    "an island in a hole": (
        [box(4, 5, 6, 7), A, box(3, 4, 10, 20)],
        (block(2, 3, 12, 23) & ~block(3, 4, 10, 20)) | block(4, 5, 6, 7),
    ),
    "a hole that touches the edge": ([A, box(3, 4, 12, 8)], block(2, 3, 12, 23) & ~block(3, 4, 12, 8)),
    "a hole that touches the edge, rounded": (
        [A, box(3, 4, 12, 8) + np.array((0.02, 0.0))],
        block(2, 3, 12, 23) & ~block(3, 4, 12, 8),
    ),
    "side by side": ([A, box(2, 23, 12, 26)], block(2, 3, 12, 26)),
    "crossing": ([A, B], block(2, 3, 12, 23) | block(8, 10, 18, 26)),
    "crossing, the other told first": ([B, A[::-1]], block(2, 3, 12, 23) | block(8, 10, 18, 26)),
    "three that cross": ([A, B, box(10, 8, 20, 16)], block(2, 3, 12, 23) | block(8, 10, 18, 26) | block(10, 8, 20, 16)),
    "a hole in one of two that cross": (
        [A, B, IN_A],
        (block(2, 3, 12, 23) & ~block(3, 4, 6, 8)) | block(8, 10, 18, 26),
    ),
    "a hole in what two share": (
        [A, B, IN_BOTH],
        (block(2, 3, 12, 23) | block(8, 10, 18, 26)) & ~block(9, 12, 11, 14),
    ),
    "two holes that cross": (
        [A, box(3, 5, 8, 10), box(6, 8, 11, 14)],
        block(2, 3, 12, 23) & ~block(3, 5, 8, 10) & ~block(6, 8, 11, 14),
    ),
    "twice": ([A, A], block(2, 3, 12, 23)),
    "twice, from another corner, the other way round": ([A, np.roll(A, 1, axis=0)[::-1]], block(2, 3, 12, 23)),
    "twice, once closed by its first corner": ([A, np.vstack([A, A[:1]])], block(2, 3, 12, 23)),
    "twice, once with a corner on an edge": ([A, np.insert(A, 1, (1.5, 9.5), axis=0)], block(2, 3, 12, 23)),
    "twice, rounded otherwise": ([A, A + 0.004], block(2, 3, 12, 23)),
    "twice, once a little smaller": ([A, box(2.4, 3.4, 11.6, 22.6)], block(2, 3, 12, 23)),
    "three times, and a hole twice": ([A, IN_A, A, A, IN_A], block(2, 3, 12, 23) & ~block(3, 4, 6, 8)),
    "run round twice": ([np.vstack([A, A])], block(2, 3, 12, 23)),
    "a hole with no center in it": ([A, np.array([(4.1, 5.1), (4.1, 5.4), (4.4, 5.4)])], block(2, 3, 12, 23)),
    "a keyhole, and an island in its hole": (
        [np.vstack([A, A[:1], IN_A[::-1], IN_A[-1:]]), box(4, 5, 5, 7)],
        (block(2, 3, 12, 23) & ~block(3, 4, 6, 8)) | block(4, 5, 5, 7),
    ),
    "a keyhole whose hole runs the same way": (
        [np.vstack([A, A[:1], IN_A, IN_A[:1]])],
        block(2, 3, 12, 23) & ~block(3, 4, 6, 8),
    ),
    "beyond the image": ([A, box(30, 3, 40, 9)], block(2, 3, 12, 23)),
}


@pytest.mark.parametrize(("corners", "expected"), CASES.values(), ids=CASES)
def test_contours_combine_by_how_they_lie(corners, expected):
    np.testing.assert_array_equal(combined(*corners), expected)


def test_the_exclusive_kind_combines_by_exclusive_or_however_they_lie():
    np.testing.assert_array_equal(combined(A, B, exclusive=True), block(2, 3, 12, 23) ^ block(8, 10, 18, 26))
    np.testing.assert_array_equal(combined(A, IN_A, exclusive=True), combined(A, IN_A))


def test_what_is_made_of_them_is_counted():
    account = Account("c-1", "GTV")
    combined(A, A[::-1], np.vstack([B, B]), account=account)
    # The second A is a copy, which counts once.
    assert +account.counts == {"repeated_contours": 2, "crossing_contours": 2}


def test_holes_and_neighbors_are_nothing_to_speak_of():
    account = Account("c-1", "GTV")
    combined(A, IN_A, box(14, 3, 18, 9), box(2, 23, 12, 26), account=account)
    assert not +account.counts


def test_a_small_loop_is_outside_and_counted():
    """Where a hand-drawn line closes it runs over its beginning."""
    loop = np.array(
        [(1.5, 2.5), (1.5, 22.5), (20.5, 22.5), (20.5, 2.5), (0.5, 2.5), (0.5, 4.5), (2.5, 4.5), (2.5, 2.5)]
    )
    account = Account("c-1", "GTV")
    plane = combined(loop, account=account)
    assert account.counts["self_crossing_contours"] == 2
    # Rows 2 to 20 of columns 3 to 22 but for the loop's row 2, and its row 1 outside of the outline.
    np.testing.assert_array_equal(plane, (block(2, 3, 21, 23) | block(1, 3, 2, 5)) & ~block(2, 3, 3, 5))


REFUSED = {
    "a contour twice, by exclusive or": ([A, np.roll(A, 1, axis=0)], True, "duplicate_contour"),
    "a hole drawn a little over the edge": ([A, box(3, 4, 12, 8) + np.array((0.7, 0))], False, "ambiguous_contours"),
    "a hole of one that crosses the other's edge": ([A, B, box(5, 12, 10, 14)], False, "ambiguous_contours"),
    "one that runs round its half twice": (
        [
            np.array(
                [(1.5, 1.5), (1.5, 20.5), (18.5, 20.5), (18.5, 6.5), (6.5, 6.5), (6.5, 15.5), (22.5, 15.5), (22.5, 1.5)]
            )
        ],
        False,
        "self_crossing_contour",
    ),
}


@pytest.mark.parametrize(("corners", "exclusive", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_may_mean_two_things_is_refused(corners, exclusive, reason):
    with pytest.raises(DicomError) as caught:
        combined(*corners, exclusive=exclusive)
    assert caught.value.reason == reason
    assert "c-1" in str(caught.value)


def test_both_kinds_on_one_slice_are_refused():
    with pytest.raises(DicomError) as caught:
        combine([Contour(A, exclusive=False), Contour(IN_A, exclusive=True)], SHAPE, Account("c-1", "GTV"))
    assert caught.value.reason == "ambiguous_contours"


def nested(draw, top, left, bottom, right, level):
    """Boxes in boxes, told in any order, and the pixels that they should give."""
    if bottom - top < 3 or right - left < 3 or level > 3:
        return [], np.zeros(SHAPE, dtype=bool)
    rows = sorted(draw(st.lists(st.integers(top, bottom), min_size=2, max_size=2, unique=True)))
    columns = sorted(draw(st.lists(st.integers(left, right), min_size=2, max_size=2, unique=True)))
    inner, within = nested(draw, rows[0] + 1, columns[0] + 1, rows[1] - 1, columns[1] - 1, level + 1)
    return [box(rows[0], columns[0], rows[1], columns[1]), *inner], block(
        rows[0], columns[0], rows[1], columns[1]
    ) & ~within


@given(st.data())
def test_nested_boxes_are_rings_in_any_order(data):
    boxes, expected = nested(data.draw, 0, 0, *SHAPE, 0)
    np.testing.assert_array_equal(combined(*data.draw(st.permutations(boxes))), expected)


SIDES = st.tuples(st.integers(0, 12), st.integers(0, 14), st.integers(2, 10), st.integers(2, 12))


@given(SIDES, SIDES, st.integers(0, 3), st.booleans())
def test_two_boxes_unite_unless_one_lies_in_the_other(one, other, turn, reverse):
    (a, b, h, w), (c, d, i, v) = one, other
    planes = block(a, b, a + h, b + w), block(c, d, c + i, d + v)
    corners = np.roll(box(c, d, c + i, d + v), turn, axis=0)[:: -1 if reverse else 1]
    try:
        found = combined(box(a, b, a + h, b + w), corners)
    except DicomError:
        # One sticks out of the other by one pixel on some side: a hole drawn over the edge, or a part of it.
        beyond = np.array((a - c, b - d, c + i - a - h, d + v - b - w))
        assert 1 in abs(beyond)
        return
    same = (planes[0] == planes[1]).all()
    nested_boxes = not same and any((p <= q).all() for p, q in (planes, planes[::-1]))
    np.testing.assert_array_equal(found, planes[0] ^ planes[1] if nested_boxes else planes[0] | planes[1])
