"""Whether every part of a concatenation is there, by its numbers."""

import pytest
from pydicom.dataset import Dataset

from lesionflow.errors import DicomError
from lesionflow.io.dicom.relations.concatenations import ConcatenationPart, require_all_parts
from lesionflow.io.notes import collected


@pytest.mark.parametrize(
    "numbers",
    [[(1, 2)], [(2, 2)], [(1, 3), (3, 3)], [(2, 0), (3, 0)], [(1, 0), (3, 0)], [(0, 2), (1, 2)], [(1, 0), (2, 3)]],
)
def test_a_part_that_is_not_there_is_missed(numbers):
    with pytest.raises(DicomError) as refusal:
        require_all_parts([ConcatenationPart("1.2", *pair) for pair in numbers], name="c-1")
    assert refusal.value.reason == "incomplete_concatenation"


def test_whole_ones_and_objects_that_were_not_divided_pass():
    with collected() as notes:
        require_all_parts(
            [
                ConcatenationPart("", 0, 0),
                ConcatenationPart("1.2", 2, 2),
                ConcatenationPart("1.2", 1, 2),
                ConcatenationPart("1.3", 1, 1),
            ],
            name="c-1",
        )
    assert notes == []


def test_without_a_total_they_are_taken_for_all_and_that_is_said():
    with collected() as notes:
        require_all_parts([ConcatenationPart("1.2", 1, 0), ConcatenationPart("1.2", 2, 0)], name="c-1")
    assert [one.code for one in notes] == ["concatenation_without_total"]


def test_what_a_data_set_says_is_read():
    data = Dataset()
    assert ConcatenationPart.of(data) == ConcatenationPart("", 0, 0)
    data.ConcatenationUID = "1.2.3"
    assert ConcatenationPart.of(data) == ConcatenationPart("", 0, 0)
    data.ConcatenationUID, data.InConcatenationNumber, data.InConcatenationTotalNumber = "1.2.3", 2, 5
    assert ConcatenationPart.of(data) == ConcatenationPart("1.2.3", 2, 5)
