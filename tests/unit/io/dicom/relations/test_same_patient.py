import pytest

from lesionflow.io.dicom.relations.same_patient import Person, names_nobody, patient_keys, significant
from lesionflow.io.notes import collected


def told(*persons):
    """Return the patients of studies 1, 2, ... and how often something was doubtful."""
    with collected() as notes:
        keys = patient_keys({str(n): Person(*person) for n, person in enumerate(persons, 1)})
    assert {said.code for said in notes} <= {"doubtful_patients"}
    return list(keys.values()), [said.message for said in notes]


@pytest.mark.parametrize("text", ["P7", " P7", "P7 ", "  P7\0", "P7\0\0"])
def test_blanks_around_an_id_mean_nothing(text):
    assert significant(text) == "P7"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "000000",
        "ANON",
        "Anonymized",
        "ANONYMOUS",
        "anonymised",
        "UNKNOWN",
        "none",
        "N/A",
        "XXXX",
        "^",
        "de-identified",
    ],
)
def test_ids_of_nobody(text):
    assert names_nobody(text)


@pytest.mark.parametrize("text", ["1", "P7", "ANON-001", "anonymous_12", "00001", "LUNG1-001", "X1", "NA12", "p"])
def test_ids_of_somebody(text):
    assert not names_nobody(text)


def test_an_id_names_its_patient_whatever_else_is_told():
    assert told(("P7", "A", "19700101", "F"), ("P7",), ("P8",)) == (["P7", "P7", "P8"], [])


def test_studies_without_an_id_are_kept_apart_unless_the_person_is_told():
    keys, said = told(("ANON",), ("ANON",))
    assert keys == ["1", "2"]
    assert len(said) == 1
    keys, said = told(("0", "Doe", "19700101", "F"), ("0", "Doe", "19700101", "F"), ("0", "Roe", "19800101", "M"))
    assert keys[0] == keys[1] != keys[2]
    assert "counted as 2 patients" in said[0]


def test_a_study_is_the_same_patients_whatever_comes_beside_it():
    alone, _ = told(("ANON", "Doe", "19700101", "F"))
    beside, _ = told(("ANON", "Doe", "19700101", "F"), ("ANON", "Roe", "19700101", "F"))
    assert alone[0] == beside[0] != beside[1]


def test_one_id_of_two_birth_dates_or_sexes_is_said():
    for other in (("P7", "A", "19800101", "F"), ("P7", "A", "19700101", "M")):
        keys, said = told(("P7", "A", "19700101", "F"), other)
        assert keys == ["P7", "P7"]
        assert len(said) == 1
        assert "P7" not in said[0]


def test_ids_that_differ_in_capitals_alone_are_kept_apart_and_said():
    keys, said = told(("p7",), ("P7",))
    assert keys == ["p7", "P7"]
    assert len(said) == 1
