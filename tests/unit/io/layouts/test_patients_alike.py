"""Names that differ by an ending alone."""

from lesionflow.io.layouts.patient_in_name import find_patient
from lesionflow.io.layouts.patients_alike import joined


def names(*cases: str) -> tuple[set[str], list[str]]:
    """Return the patients' names, and the cases left apart."""
    found, apart = joined({case: find_patient(case) for case in cases})
    return {patient.name for patient in found.values()}, apart


def test_short_endings_and_letters_are_joined() -> None:
    assert names("K7_foo", "K7_bar", "K8_foo") == ({"K7", "K8_foo"}, [])
    assert names("001a", "001b", "002a") == ({"001", "002a"}, [])


def test_long_endings_are_joined_where_several_names_have_them() -> None:
    assert names("K7_somewhere", "K7_elsewhere", "K8_somewhere", "K8_elsewhere")[0] == {"K7", "K8"}
    assert names("K7_somewhere", "K7_elsewhere") == ({"K7_somewhere", "K7_elsewhere"}, ["K7_elsewhere", "K7_somewhere"])


def test_codes_of_patients_behind_a_site_s_are_not_joined() -> None:
    assert names("site1_P12", "site1_P13", "site2_P12", "site2_P13")[0] == {
        "site1_P12",
        "site1_P13",
        "site2_P12",
        "site2_P13",
    }


def test_capitals_tell_nobody_apart_and_words_without_a_number_are_names() -> None:
    assert names("Pat_01", "pat_01") == ({"Pat_01"}, [])
    assert names("knee_anna", "knee_bob") == ({"knee_anna", "knee_bob"}, [])
