"""Frames of each type of segmentation, against arrays written by hand; where they lie is tested with `dicom.seg`."""

from itertools import permutations

import numpy as np
import pydicom
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.errors import DicomError
from lesionflow.io.dicom.segments import frames
from lesionflow.io.dicom.segments.frames import read_parts
from support.dicom_factory import SHAPE

VALUES = np.random.default_rng(3).integers(0, 4, SHAPE).astype(np.uint8)


@pytest.fixture
def segmentation(dicom_factory, segmentation_factory):
    """A label map of `VALUES`, or of what is given; its grid."""

    def make(stored=VALUES, kind="LABELMAP", **values):
        def change(data):
            data.SegmentationType = kind
            for keyword, value in values.items():
                setattr(data, keyword, value)

        series = dicom_factory()
        path = segmentation_factory(series, {"GTV": stored}, kind="FRACTIONAL", change=change)
        return pydicom.dcmread(path), Geometry(SHAPE, series.affine_by_hand)

    return make


def test_each_value_of_a_label_map_is_a_segment_and_its_background_is_none(segmentation) -> None:
    data, grid = segmentation(PixelPaddingValue=3)
    parts, n_dropped = read_parts(data, grid, {0: None, 1: 5, 2: None}, "c-1")
    assert [label for label, _ in parts] == [5]
    np.testing.assert_array_equal(parts[0][1], VALUES == 1)
    assert n_dropped == {2: int((VALUES == 2).sum())}


def test_segments_of_one_label_are_united(segmentation) -> None:
    data, grid = segmentation()
    np.testing.assert_array_equal(
        read_parts(data, grid, {1: 5, 2: 5, 3: None}, "c-1")[0][0][1], np.isin(VALUES, (1, 2))
    )


def test_a_value_without_a_segment_is_refused(segmentation) -> None:
    data, grid = segmentation()
    with pytest.raises(DicomError, match="c-1") as refused:
        read_parts(data, grid, {0: None, 1: 5, 2: 6}, "c-1")
    assert refused.value.reason == "unknown_label"


@pytest.mark.parametrize("fractional", ["OCCUPANCY", "PROBABILITY"])
def test_a_share_belongs_from_half_of_the_maximum_on(segmentation, fractional) -> None:
    shares = np.where(VALUES > 1, 100, 99).astype(np.uint8)
    data, grid = segmentation(shares, "FRACTIONAL", SegmentationFractionalType=fractional, MaximumFractionalValue=200)
    np.testing.assert_array_equal(read_parts(data, grid, {1: 5}, "c-1")[0][0][1], VALUES > 1)


def test_an_unknown_type_is_refused(segmentation) -> None:
    data, grid = segmentation(kind="SURFACE")
    with pytest.raises(DicomError) as refused:
        read_parts(data, grid, {1: 5}, "c-1")
    assert refused.value.reason == "unreadable_outline"


@pytest.mark.parametrize("axes", list(permutations(range(3), 2)))
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_each_pixel_lies_where_the_steps_lead(axes, signs):
    inside = np.zeros((4, 5), dtype=bool)
    inside[[0, 2, 3], [1, 1, 3]] = True
    steps = np.zeros((2, 3), dtype=np.intp)
    steps[[0, 1], axes] = signs
    corner = np.array([4, 5, 6])
    part = np.zeros((10, 11, 12), dtype=bool)
    assert frames._place(inside, corner, steps, part)
    expected = {tuple(int(v) for v in corner + r * steps[0] + c * steps[1]) for r, c in ((0, 1), (2, 1), (3, 3))}
    assert {tuple(int(v) for v in place) for place in np.argwhere(part)} == expected
    assert not frames._place(inside, np.array([0, 0, 0]) - 5, steps, part)
