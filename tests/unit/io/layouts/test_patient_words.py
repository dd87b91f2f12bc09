"""Words that speak of an examination, and how collections write their patients."""

import pytest

from lesionflow.io.layouts.patient_words import BEHIND_NUMBER, FOLLOW_UP, KNOWN


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("TCGA-05-4244-01Z-00-DX1", "TCGA-05-4244"),
        ("TCGA_CS_4941_19960909_1", "TCGA_CS_4941"),
        ("002_S_0295_20060418", "002_S_0295"),
        ("OAS30001_MR_d0129", "OAS30001"),
        ("BraTS-MEN-RT-0001-1", "BraTS-MEN-RT-0001"),
        ("fdg_0011f3deaf_03-23-2003", "fdg_0011f3deaf"),
    ],
)
def test_a_known_collection_s_patient_is_found(name: str, patient: str) -> None:
    found = KNOWN.search(name)
    assert found
    assert found[0] == patient


@pytest.mark.parametrize("name", ["XTCGA-05-4244", "TCGA-05-42445", "1002_S_0295", "LIDC-IDRI-00012"])
def test_what_is_longer_is_another_form(name: str) -> None:
    assert not KNOWN.search(name)


@pytest.mark.parametrize(
    "word", ["arterial", "venous", "portal", "delayed", "native", "nc", "art", "pv", "ES", "ED", "CT2"]
)
def test_phases_and_scans_are_marks(word: str) -> None:
    assert BEHIND_NUMBER.match(word)


def test_an_operation_s_time_is_a_follow_up_s_mark() -> None:
    assert FOLLOW_UP.match("intraop")
    assert not FOLLOW_UP.match("operator")
