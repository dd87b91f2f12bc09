import pytest

from lesionflow.errors import DicomError
from lesionflow.io.dicom.contours.account import SENTENCES, Account
from lesionflow.io.notes import collected


def test_what_was_counted_is_told_once_by_code_and_number():
    account = Account("c-1", "GTV 2")
    account.counts.update({"repeated_contours": 3, "crossing_contours": 0})
    with collected() as notes:
        account.tell()
    assert [note.code for note in notes] == ["repeated_contours"]
    assert notes[0].message.startswith("In structure GTV 2 of c-1, 3 contours are copies")


@pytest.mark.parametrize("code", SENTENCES)
def test_each_count_has_a_sentence_with_its_number(code):
    account = Account("c-1", "GTV")
    account.counts[code] = 417
    with collected() as notes:
        account.tell()
    assert "417" in notes[0].message


def test_a_refusal_says_what_was_expected_and_found_and_where():
    with pytest.raises(DicomError, match=r"Expected x in structure GTV of c-1, found y\. Do z\.") as caught:
        Account("c-1", "GTV").refuse("open_contour", "x", "y", "Do z.")
    assert caught.value.reason == "open_contour"
