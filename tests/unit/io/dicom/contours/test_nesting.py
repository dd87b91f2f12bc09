import numpy as np
import pytest

from lesionflow.errors import DicomError
from lesionflow.io.dicom.contours.account import Account
from lesionflow.io.dicom.contours.filling import fill_contour
from lesionflow.io.dicom.contours.nesting import Outline, levels_of


def levels(*boxes):
    outlines = []
    for top, left, bottom, right in boxes:
        corners = np.array([(top, left), (top, right), (bottom, right), (bottom, left)]) - 0.5
        outlines.append(Outline(corners, fill_contour(corners, (40, 40))))
    return levels_of(outlines, Account("c-1", "GTV"))


def test_each_has_as_many_around_it_as_lie_one_around_the_other():
    assert levels((4, 4, 9, 9), (0, 0, 20, 20), (2, 2, 12, 12), (14, 14, 18, 18), (22, 0, 30, 9)) == [2, 0, 1, 1, 0]


def test_two_that_cross_are_one_thing_around_what_both_hold():
    assert levels((0, 0, 12, 12), (6, 6, 20, 20), (8, 8, 10, 10)) == [0, 0, 1]


def test_copies_have_the_same_number():
    assert levels((0, 0, 12, 12), (3, 3, 6, 6), (0, 0, 12, 12), (3, 3, 6, 6)) == [0, 1, 0, 1]


def test_a_ring_as_wide_as_a_pixel_is_a_ring_and_a_thinner_one_a_copy():
    assert levels((0, 0, 12, 12), (1, 1, 11, 11)) == [0, 1]
    assert levels((0, 0, 12, 12), (0.5, 0.5, 11.5, 11.5)) == [0, 0]
    assert levels((0, 0, 3, 3), (1, 1, 2, 2)) == [0, 1]


@pytest.mark.parametrize("wall", [0.55, 0.6, 0.7, 0.74])
def test_a_thin_wall_that_may_be_one_contour_drawn_twice_is_refused(wall):
    """At its corners it is up to 1.05 pixels thick, and it would hold the middles of 44 pixels."""
    with pytest.raises(DicomError) as caught:
        levels((8, 8, 18, 18), (8 - wall, 8 - wall, 18 + wall, 18 + wall))
    assert caught.value.reason == "ambiguous_contours"


def test_a_hole_that_leaves_little_is_no_thin_wall():
    """Strips of two pixels along one side; a wall of 0.8 pixels all around."""
    assert levels((0, 0, 40, 40), (0, 0, 40, 38)) == [0, 1]
    assert levels((0, 0, 10, 10), (0.8, 0.8, 9.2, 9.2)) == [0, 1]


def test_a_hole_over_the_edge_by_a_strip_that_holds_no_pixel_is_a_hole():
    assert levels((2, 0, 12, 12), (1.8, 3, 6, 6)) == [0, 1]
    with pytest.raises(DicomError):
        levels((2, 0, 12, 12), (1.4, 3, 6, 6))


def test_one_alone_is_compared_with_nothing():
    assert levels((0, 0, 12, 12)) == [0]


def test_a_hole_that_crosses_an_edge_is_refused():
    with pytest.raises(DicomError) as caught:
        levels((0, 0, 12, 12), (6, 6, 20, 20), (3, 3, 9, 9))
    assert caught.value.reason == "ambiguous_contours"


def test_thousands_beside_one_another_take_no_time():
    grid = [(2 * i, 2 * j, 2 * i + 1, 2 * j + 1) for i in range(20) for j in range(20)] * 5
    assert set(levels(*grid)) == {0}
