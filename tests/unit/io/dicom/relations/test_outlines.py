import numpy as np
import pydicom
import pytest

from lesionflow.errors import DicomError
from lesionflow.io.dicom.relations.outlines import read_outlines
from lesionflow.io.dicom.series import read_series
from lesionflow.io.notes import collected
from lesionflow.io.rules import ReadingRules, SeriesRule
from support.dicom_factory import SHAPE, write_rtstruct, write_segmentation, write_series

RULES = ReadingRules(
    {"CT": SeriesRule("CT")}, "CT", {"liver": 1, "tumor": 2}, (("liver", "liver"), ("(?i)gtv.*|tumor", "tumor"))
)
SQUARE = [(1, [(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)])]


def marked(rows, columns):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[1, rows, columns] = True
    return mask


LIVER, TUMOR = marked(slice(0, 6), slice(0, 9)), marked(slice(1, 5), slice(2, 7))


@pytest.fixture
def read(tmp_path):
    series = write_series(tmp_path / "ct")

    def read(*objects):
        found = []
        for number, (kind, named) in enumerate(objects):
            write = write_segmentation if kind == "SEG" else write_rtstruct
            found.append(pydicom.dcmread(write(tmp_path / f"{number}.dcm", series, named)))
        reference = read_series(tuple(map(str, series.paths)), name="c-1")
        with collected() as notes:
            mask = read_outlines(found, reference, RULES, name="c-1")
        return mask.labels, [said.code for said in notes]

    return read


@pytest.mark.parametrize("tumor", [("SEG", {"tumor": TUMOR}), ("RTSTRUCT", {"GTV": SQUARE})], ids=["SEG", "RTSTRUCT"])
def test_objects_of_different_labels_are_read_together_in_any_order(read, tumor):
    for objects in ((("SEG", {"liver": LIVER}), tumor), (tumor, ("SEG", {"liver": LIVER}))):
        labels, codes = read(*objects)
        assert codes == ["several_outlines"]
        np.testing.assert_array_equal(labels, np.where(TUMOR, 2, LIVER))


@pytest.mark.parametrize("other", [TUMOR, TUMOR & False], ids=["drawn", "not drawn"])
def test_two_of_one_label_are_refused(read, other):
    with pytest.raises(DicomError) as caught:
        read(("SEG", {"liver": LIVER, "GTV old": other}), ("RTSTRUCT", {"GTV": SQUARE}))
    assert caught.value.reason == "ambiguous_outlines"


def test_one_that_holds_nothing_wanted_is_left_out_and_said(read):
    labels, codes = read(("RTSTRUCT", {"GTV": SQUARE}), ("SEG", {"heart": LIVER}))
    assert codes == ["dropped_outlines"]
    np.testing.assert_array_equal(labels, TUMOR * 2)


def test_nothing_wanted_at_all_is_refused(read):
    with pytest.raises(DicomError) as caught:
        read(("SEG", {"heart": LIVER}))
    assert caught.value.reason == "no_matching_outline"
