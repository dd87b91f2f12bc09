import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.errors import DicomError
from lesionflow.io.dicom.contours.account import Account
from lesionflow.io.dicom.contours.planes import fill_structure
from lesionflow.io.dicom.contours.points import Contour
from support.dicom_factory import affine_by_hand

SHAPE = (14, 24, 30)
SPACING_MM = (3.0, 0.8, 0.5)
GRID = Geometry(SHAPE, affine_by_hand(SPACING_MM))
#: Rows 4 to 15, columns 5 to 19.
BOX = (3.5, 4.5, 15.5, 19.5)


def contour(position, box=BOX, tilt=0.0):
    """A rectangle at a slice index; its last corners `tilt` slices further."""
    top, left, bottom, right = box
    lift = (position, position, position + tilt, position + tilt)
    corners = zip(lift, (top, top, bottom, bottom), (left, right, right, left), strict=True)
    return Contour(GRID.to_lps(list(corners)), exclusive=False)


def fill(*contours):
    account = Account("c-1", "GTV")
    inside = fill_structure(contours, GRID, account)
    return inside, +account.counts


def boxes(slices, box=BOX):
    inside = np.zeros(SHAPE, dtype=bool)
    top, left, bottom, right = (int(v + 0.5) for v in box)
    inside[list(slices), top:bottom, left:right] = True
    return inside


#: Where contours lie -> the slices that hold them, and what is told.
CASES = {
    "on the slices": ([2, 3, 4], [2, 3, 4], {}),
    "a little off, as positions are rounded": ([2.1, 3.2, 3.9], [2, 3, 4], {}),
    "0.4 slices off, all of them": ([2.4, 3.4, 4.4], [2, 3, 4], {"contours_between_slices": 3}),
    "halfway between two slices": ([2.5, 3.5, 4.5], [2, 3, 4], {"contours_between_slices": 3}),
    "halfway, rounded": ([2.501, 3.499, 4.5], [2, 3, 4], {"contours_between_slices": 3}),
    "one alone between two slices": ([5.45], [5], {"contours_between_slices": 1}),
    "twice as fine": ([2, 2.5, 3, 3.5, 4], [2, 3, 4], {"contours_between_slices": 2}),
    "three times as fine, off": (
        [2.2 + n / 3 for n in range(8)],
        [2, 3, 4],
        {"contours_between_slices": 5},
    ),
    "a little coarser": ([2 + 1.2 * n for n in range(6)], range(2, 9), {"contours_between_slices": 2}),
    "every second slice": ([2, 4, 6], range(2, 7), {"contour_gaps_filled": 2}),
    "every second slice, off": ([2.3, 4.3, 6.3], range(2, 7), {"contours_between_slices": 3, "contour_gaps_filled": 2}),
    "every third slice": ([1, 4, 7, 10], range(1, 11), {"contour_gaps_filled": 6}),
    "one and a half slices apart": (
        [2, 3.5, 5, 6.5, 8],
        range(2, 9),
        {"contours_between_slices": 2, "contour_gaps_filled": 2},
    ),
    "one forgotten": ([2, 3, 5, 6], range(2, 7), {"contour_gaps_filled": 1}),
    "two parts": ([2, 3, 8, 9], [2, 3, 8, 9], {"contour_gaps_left": 4}),
    "at both ends": ([0, 1, 12, 13], [0, 1, 12, 13], {"contour_gaps_left": 10}),
}


@pytest.mark.parametrize(("positions", "slices", "counts"), CASES.values(), ids=CASES)
def test_slices_take_the_contours_that_are_theirs(positions, slices, counts):
    inside, told = fill(*(contour(p) for p in positions))
    np.testing.assert_array_equal(inside, boxes(slices))
    assert told == counts


def test_planes_of_one_slice_never_exclude_each_other():
    """Two contours finer than the slices, the second a little smaller: no ring is left of them."""
    inside, _ = fill(contour(3), contour(3.4, (4.5, 5.5, 14.5, 18.5)), contour(3.8, (5.5, 6.5, 13.5, 17.5)))
    assert inside[3].sum() == 12 * 15
    assert inside[4].sum() == 8 * 11


def test_a_hole_on_every_second_slice_is_a_hole_between_too():
    hole = (7.5, 9.5, 11.5, 14.5)
    inside, _ = fill(*(contour(k, box) for k in (2, 4, 6) for box in (BOX, hole)))
    np.testing.assert_array_equal(inside, boxes(range(2, 7)) & ~boxes(range(2, 7), hole))


def test_an_ellipsoid_outlined_on_every_second_slice_is_nearly_itself():
    k, i, j = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    truth = ((k - 6.5) * 3 / 18) ** 2 + ((i - 11.4) * 0.8 / 8) ** 2 + ((j - 14.7) * 0.5 / 6) ** 2 < 1
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    contours = []
    for position in range(2, 13, 2):
        radius = np.sqrt(1 - ((position - 6.5) * 3 / 18) ** 2)
        index = [np.full(90, position), 11.4 + radius * 10 * np.sin(angle), 14.7 + radius * 12 * np.cos(angle)]
        contours.append(Contour(GRID.to_lps(np.stack(index, axis=1)), exclusive=False))
    inside, told = fill(*contours)
    assert told == {"contour_gaps_filled": 5}
    common = inside[2:13] & truth[2:13]
    assert 2 * common.sum() / (inside[2:13].sum() + truth[2:13].sum()) > 0.97


def test_a_nodule_beside_the_gap_is_not_bridged():
    """On slices 2 to 4 one in each corner, on 6 and 7 one of them again: that one alone has a forgotten slice."""
    other = (18.5, 22.5, 22.5, 27.5)
    inside, told = fill(*(contour(k) for k in (2, 3, 4, 6, 7)), *(contour(k, other) for k in (2, 3, 4)))
    np.testing.assert_array_equal(inside, boxes(range(2, 8)) | boxes((2, 3, 4), other))
    assert told == {"contour_gaps_filled": 1}


#: Rows 2 to 17 of columns 2 to 19, and 20 pixels of them a second time.
LOOP = [(1.5, 1.5), (1.5, 19.5), (17.5, 19.5), (17.5, 14.5), (12.5, 14.5), (12.5, 18.5), (18.5, 18.5), (18.5, 1.5)]
REFUSED = {
    "tilted": ([contour(3, tilt=0.8)], "contour_off_plane"),
    "across the slices": ([contour(3, tilt=6)], "contour_off_plane"),
    "a part on other planes than the rest": (
        [*(contour(k) for k in (2, 3, 4)), *(contour(k + 0.4, (18.5, 22.5, 22.5, 27.5)) for k in (2, 3, 4))],
        "contour_off_plane",
    ),
    "beyond the slices": ([contour(3), contour(14)], "contour_outside_image"),
    "before the slices": ([contour(3), contour(-2)], "contour_outside_image"),
    "beyond the rows": ([contour(3, (10, 5, 40, 19))], "contour_outside_image"),
    "far away": ([contour(3, (1e6, 5, 2e6, 19))], "contour_outside_image"),
    "a part of which runs round twice": (
        [
            Contour(
                GRID.to_lps([(k, i, j) for i, j in [*LOOP]]),
                exclusive=False,
            )
            for k in (3, 4)
        ],
        "self_crossing_contour",
    ),
    "here and there": ([contour(k) for k in (0, 4, 11)], "contour_gaps"),
}


@pytest.mark.parametrize(("contours", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_lies_elsewhere_is_refused(contours, reason):
    with pytest.raises(DicomError) as caught:
        fill(*contours)
    assert caught.value.reason == reason
    assert "c-1" in str(caught.value)


def test_a_little_beyond_the_images_is_cut_off_and_told():
    # Each slice outlines rows 4 to 15 of columns 5 to 19; the last one is repeated smaller beyond the last slice.
    inside, told = fill(*(contour(k) for k in range(8, 14)), contour(14, (3.5, 4.5, 6.5, 9.5)))
    np.testing.assert_array_equal(inside, boxes(range(8, 14)))
    # 15 of 6 x 180 + 15 square pixels.
    assert told == {"contours_clipped": 14}


def test_a_little_beyond_the_rows_is_cut_off_and_told():
    inside, told = fill(*(contour(k) for k in range(8, 13)), contour(13, (3.5, 4.5, 26.5, 19.5)))
    np.testing.assert_array_equal(inside[:13], boxes(range(8, 13))[:13])
    assert inside[13].sum() == 20 * 15
    # Beyond row 24 lie 2.5 x 15 of 5 x 180 + 345 square pixels.
    assert told == {"contours_clipped": 31}


def test_no_contours_are_nothing():
    assert not fill()[0].any()
