import numpy as np
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from lesionflow.errors import DicomError
from lesionflow.io.dicom.contours.account import Account
from lesionflow.io.dicom.contours.points import closed_contours

TRIANGLE = r"1\2\3\4\2\3\4\9\3"


def contour(text=TRIANGLE, kind="CLOSED_PLANAR", n_points=None):
    """An item as it comes out of a file: its numbers raw."""
    item = Dataset()
    item.NumberOfContourPoints = n_points
    for keyword, vr, raw in (("ContourData", "DS", text.encode()), ("ContourGeometricType", "CS", kind.encode())):
        tag = Tag(keyword)
        item[tag] = RawDataElement(tag, vr, len(raw), raw, 0, is_implicit_VR=False, is_little_endian=True)
    return item


def read(*items):
    account = Account("c-1", "GTV")
    return list(closed_contours(items, account)), account


@pytest.mark.parametrize(
    "text",
    [
        TRIANGLE,
        TRIANGLE + "\0",
        TRIANGLE + " ",
        TRIANGLE + "\\",
        r" 1.0\+2e0\3.00000000000000000000000\0.4E+01\ 2 \3\4\90e-1\3 ",
    ],
)
def test_numbers_are_read_however_they_are_written(text):
    (found,), account = read(contour(text))
    np.testing.assert_array_equal(found.corners, [(1, 2, 3), (4, 2, 3), (4, 9, 3)])
    assert not found.exclusive
    assert not +account.counts


def test_numbers_that_were_decoded_before_are_the_same():
    item = contour()
    assert item.ContourData[0] == 1
    np.testing.assert_array_equal(read(item)[0][0].corners, [(1, 2, 3), (4, 2, 3), (4, 9, 3)])


@pytest.mark.filterwarnings("ignore:The value length")  # one name is no defined term, and too long for one
def test_the_kind_says_how_they_combine():
    found, _ = read(contour(), contour(kind="CLOSEDPLANAR_XOR"), contour(kind="INTERPOLATED_PLANAR"))
    assert [entry.exclusive for entry in found] == [False, True, False]


LEFT_OUT = {
    "a point": contour(r"1\2\3", "POINT"),
    "an open line": contour(kind="OPEN_PLANAR"),
    "an open line in space": contour(kind="OPEN_NONPLANAR"),
    "two corners": contour(r"1\2\3\4\2\3"),
    "one corner": contour(r"1\2\3"),
    "one corner three times": contour(r"1\2\3\1\2\3\1\2\3"),
    "a straight line": contour(r"1\2\3\2\2\3\9\2\3\4\2\3"),
    "a slanted straight line": contour(r"0.1\0.3\3\0.2\0.6\3\0.4\1.2\3"),
    "nothing": contour(""),
}


@pytest.mark.parametrize("stray", LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_encloses_nothing_is_left_out_of_a_good_structure(stray):
    found, account = read(contour(), stray, contour())
    assert len(found) == 2
    assert +account.counts == {"dropped_contours": 1}


@pytest.mark.parametrize("stray", LEFT_OUT.values(), ids=LEFT_OUT)
def test_alone_it_is_refused(stray):
    with pytest.raises(DicomError) as caught:
        read(stray, stray)
    assert caught.value.reason == ("open_contour" if stray.ContourGeometricType in LINES else "degenerate_contour")


LINES = ("POINT", "OPEN_PLANAR", "OPEN_NONPLANAR")
BROKEN = {
    "ten numbers": (contour(TRIANGLE + r"\4"), "degenerate_contour"),
    "a number that lacks": (contour(r"1\2\3\4\\3\4\9\3"), "degenerate_contour"),
    "not a number": (contour(r"1\2\3\4\nan\3\4\9\3"), "degenerate_contour"),
    "a number that no patient reaches": (contour(r"1\2\3\4\1e12\3\4\9\3"), "degenerate_contour"),
    "no end": (contour(r"1\2\3\4\1e999\3\4\9\3"), "degenerate_contour"),
    "fewer than announced": (contour(n_points=40), "truncated_contour"),
    "no kind": (contour(kind=""), "open_contour"),
    "an unknown kind": (contour(kind="SPLINE"), "open_contour"),
}


@pytest.mark.parametrize(("broken", "reason"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_refused_beside_good_ones_too(broken, reason):
    with pytest.raises(DicomError) as caught:
        read(contour(), broken)
    assert caught.value.reason == reason
    assert "c-1" in str(caught.value)


@pytest.mark.parametrize("told", [1, 2, 4, 9])
def test_another_number_of_points_than_announced_is_told(told):
    """Some count the closing point that they do not write, some count numbers."""
    (found,), account = read(contour(n_points=told))
    assert len(found.corners) == 3
    assert +account.counts == {"point_counts_differ": 1}


def test_no_contours_at_all_are_no_fault():
    assert read()[0] == []
    assert list(closed_contours(None, Account("c-1", "GTV"))) == []


@pytest.mark.parametrize(("offset", "refused"), [((0, 0, 0), False), ((0, 0, 3), True), ((-0.5, 0, 0), True)])
def test_a_contour_that_is_told_beside_its_place_is_refused(offset, refused):
    item = contour()
    item.ContourOffsetVector = list(offset)
    if not refused:
        assert len(read(item)[0]) == 1
        return
    with pytest.raises(DicomError) as caught:
        read(item)
    assert caught.value.reason == "contour_offset"
