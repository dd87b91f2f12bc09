import pytest

from lesionflow.cohort.group_names import UNKNOWN, folded, group_names


@pytest.mark.parametrize(
    "spellings",
    [
        ("SIEMENS", "Siemens", "siemens", "Siemens Healthineers", "SIEMENS HEALTHCARE", "Siemens  ", "SIEMENS AG"),
        ("GE MEDICAL SYSTEMS", "GE Healthcare", "GEMS", "General Electric", "ge"),
        ("Philips Medical Systems", "PHILIPS", "Philips Healthcare"),
        ("TOSHIBA", "CANON_MEC", "Canon Medical Systems", "TOSHIBA_MEC"),
    ],
)
def test_a_maker_is_one_group_whatever_its_scanners_call_it(spellings):
    assert len(set(group_names(spellings, makers=True))) == 1


def test_other_makers_stay_apart():
    makers = ["Siemens", "Gemini", "General Imaging", "Hitachi", "Fujifilm"]
    assert len(set(group_names(makers, makers=True))) == len(makers)


def test_a_hospital_is_one_group_and_bears_the_name_that_most_of_its_studies_do():
    written = ["HOSP A", "Hosp A", "Hosp  A", " hosp a", "Ｈosp A", "Hosp B"]
    assert group_names(written) == ["Hosp A"] * 5 + ["Hosp B"]
    assert group_names(written[::-1]) == ["Hosp B"] + ["Hosp A"] * 5
    # A hospital may be called as a maker is.
    assert group_names(["Siemens", "Siemens Klinik"]) == ["Siemens", "Siemens Klinik"]


@pytest.mark.parametrize(
    "nothing", ["", "  ", None, float("nan"), "unknown", "UNKNOWN", "n/a", "N/A", "None", "-", "???", "Anonymized"]
)
def test_what_says_nothing_is_one_group_that_says_so(nothing):
    assert folded(nothing) == ""
    assert group_names([nothing, "A"]) == [UNKNOWN, "A"]


def test_no_values_no_groups():
    assert group_names([]) == []
