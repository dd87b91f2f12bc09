import numpy as np
import pytest

from lesionflow.errors import DicomError
from lesionflow.io.dicom.contours.account import Account
from lesionflow.io.dicom.contours.gaps import fill_gap, is_irregular, usual_distance

SHAPE = (12, 16)


@pytest.mark.parametrize(
    ("positions", "usual", "irregular"),
    [
        ([3], 1, False),
        ([0, 1, 2, 3], 1, False),
        ([0, 1, 2, 9, 10], 1, False),
        ([0, 5, 6], 1, False),
        ([0, 2], 1, False),
        ([0, 3], 1, True),
        ([0, 2, 4, 6], 2, False),
        ([0, 3, 6, 20, 23, 26], 3, False),
        ([0, 2, 5, 7, 10], 2, False),
        ([0, 4, 11], 4, True),
        ([0, 3, 9, 11, 20], 3, True),
        ([0, 0.5, 1, 1.5], 0.5, False),
    ],
)
def test_how_far_apart_contours_usually_are(positions, usual, irregular):
    assert usual_distance(np.array(positions, dtype=float)) == usual
    assert is_irregular(np.array(positions, dtype=float)) is irregular


def block(left, right):
    plane = np.zeros(SHAPE, dtype=bool)
    plane[3:9, left:right] = True
    return plane


def fill(positions, ends, *, shift=0):
    """The gap between two blocks of columns 2 to 9, the second moved."""
    account = Account("c-1", "GTV")
    slices = list(range(ends[0] + 1, ends[1]))
    planes = block(2, 10), block(2 + shift, 10 + shift)
    positions = np.array(positions, dtype=float)
    return fill_gap(planes, ends, slices, positions, (1.0, 1.0), account), +account.counts


#: (planes with contours, the gap, how far the outline moves) -> slices filled, slices left and told of
CASES = {
    "every second slice": (([0, 2, 4, 6], (2, 4), 0), 1, 0),
    "every third slice": (([0, 3, 6], (3, 6), 0), 2, 0),
    "every second slice, moving on": (([0, 2, 4, 6], (2, 4), 6), 1, 0),
    "every second slice, then elsewhere": (([0, 2, 4, 6], (2, 4), 8), 0, 0),
    "every second slice, one forgotten": (([0, 2, 4, 8, 10], (4, 8), 0), 3, 0),
    "every second slice, then far away": (([0, 2, 4, 12, 14], (4, 12), 0), 0, 7),
    "one forgotten": (([0, 1, 2, 4, 5], (2, 4), 0), 1, 0),
    "one slice between two parts that hardly overlap": (([0, 1, 2, 4, 5], (2, 4), 6), 0, 1),
    "one slice between two parts elsewhere": (([0, 1, 2, 4, 5], (2, 4), 8), 0, 0),
    "two nodules one above the other": (([0, 1, 2, 7, 8], (2, 7), 0), 0, 4),
    "two nodules apart": (([0, 1, 2, 7, 8], (2, 7), 8), 0, 0),
    "two contours alone, one slice between": (([3, 5], (3, 5), 0), 1, 0),
    "two contours alone, elsewhere": (([3, 9], (3, 9), 8), 0, 0),
}


@pytest.mark.parametrize(("given", "n_filled", "n_left"), CASES.values(), ids=CASES)
def test_what_was_left_out_is_filled_and_what_is_apart_stays_apart(given, n_filled, n_left):
    positions, ends, shift = given
    planes, counts = fill(positions, ends, shift=shift)
    assert len(planes) == n_filled
    assert all(plane.any() for plane in planes)
    told = {"contour_gaps_filled": n_filled, "contour_gaps_left": n_left}
    assert counts == {code: n for code, n in told.items() if n}


@pytest.mark.parametrize(("positions", "ends"), [([3, 9], (3, 9)), ([0, 4, 11], (4, 11))])
def test_contours_here_and_there_are_refused(positions, ends):
    with pytest.raises(DicomError) as caught:
        fill(positions, ends)
    assert caught.value.reason == "contour_gaps"
