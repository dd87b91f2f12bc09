"""Which segment is which label, and what is never one."""

import pytest
from pydicom import Dataset

from lesionflow.errors import DicomError
from lesionflow.io.dicom.segments.segment_labels import labels_of, tell_origin
from lesionflow.io.notes import collected
from lesionflow.io.rules import ReadingRules

ANY = ReadingRules({}, "", {"tumor": 1, "core": 2}, (("core", "core"), ("(?i).*", "tumor")))


def segment(number, label, *, code="49755003", where="SegmentedPropertyCategoryCodeSequence", by="MANUAL"):
    data, coded = Dataset(), Dataset()
    coded.CodeValue, coded.CodingSchemeDesignator = code, "DCM"
    data.SegmentNumber, data.SegmentLabel, data.SegmentAlgorithmType = number, label, by
    setattr(data, where, [coded])
    return data


@pytest.mark.parametrize(
    "background",
    [
        segment(0, "Background", code="125040"),
        segment(0, "outside", code="125040"),
        segment(9, "outside", code="125040", where="SegmentedPropertyTypeCodeSequence"),
        segment(9, "BACKGROUND"),
        segment(0, "background"),
    ],
    ids=["as highdicom", "by code", "by type", "by name", "by number and name"],
)
def test_background_is_no_structure_whatever_pattern(background) -> None:
    segments = [background, segment(7, "GTV"), segment(300, "core")]
    assert labels_of(segments, ANY, "c-1") == {int(background.SegmentNumber): None, 7: 1, 300: 2}


def test_segments_of_one_label_are_one_structure() -> None:
    assert labels_of([segment(1, "Lesion"), segment(2, "Lesion")], ANY, "c-1") == {1: 1, 2: 1}


@pytest.mark.parametrize("segments", [[segment(1, "a"), segment(1, "b")], [segment(0, "GTV")]], ids=["one number", "0"])
def test_a_number_that_is_anothers_is_refused(segments) -> None:
    with pytest.raises(DicomError, match="c-1") as refused:
        labels_of(segments, ANY, "c-1")
    assert refused.value.reason == "unreadable_outline"


@pytest.mark.parametrize(
    ("kind", "fractional", "by", "codes"),
    [
        ("BINARY", None, "MANUAL", []),
        ("BINARY", None, "SEMIAUTOMATIC", []),
        ("BINARY", None, "AUTOMATIC", ["automatic_outline"]),
        ("FRACTIONAL", "OCCUPANCY", "MANUAL", []),
        ("FRACTIONAL", "PROBABILITY", "MANUAL", ["probability_segmentation"]),
    ],
)
def test_how_it_was_made_is_said(kind, fractional, by, codes) -> None:
    data = Dataset()
    data.SegmentationType, data.SegmentationFractionalType = kind, fractional
    with collected() as notes:
        tell_origin(data, [segment(1, "GTV", by=by)], "c-1")
    assert [note.code for note in notes] == codes
