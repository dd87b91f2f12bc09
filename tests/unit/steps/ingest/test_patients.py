"""What was taken for the patient is said, doubt is a warning with the pattern to set, and no message names anybody."""

import pytest

from lesionflow.errors import ConfigError
from lesionflow.io.notes import collected
from lesionflow.io.rules import SourceStudy
from lesionflow.steps.ingest.patients import with_patients


def told(*keys, layout="pictures", pattern="auto"):
    """Return the patient of each name, and what was said by code."""
    studies = [SourceStudy(key, key, ()) for key in keys]
    with collected() as notes:
        found = {study.key: study.patient_key for study in with_patients(studies, layout, pattern)}
    return found, dict(notes)


def test_the_rule_is_shown_with_counts_and_an_example_without_a_name():
    found, said = told("10035_100", "10035_101", "10043_100", "Anna_pre")
    assert len(set(found.values())) == 3
    assert said == {
        "patients_by_name": "4 studies -> 3 patients, told by file names: 1 by what stands before a slice's, lesion's or "
        "follow-up's mark (xxxx_pre -> xxxx); 3 by what stands before the last number (00000_100 -> 00000)."
    }


def test_a_guess_on_the_safe_side_is_a_warning_with_the_pattern():
    found, said = told("A1_1", "A1_2", "A2_1")
    assert set(found.values()) == {"A1", "A2"}
    assert "3 studies are counted as 2 patients" in said["doubtful_patients"]
    assert "'^(.+)$'" in said["doubtful_patients"]
    assert told("A1_1", "A1_2", "A2_1", pattern="^(.+)$")[0] == {"A1_1": "A1_1", "A1_2": "A1_2", "A2_1": "A2_1"}


def test_a_guess_that_makes_one_patient_of_all_is_not_followed_and_said():
    found, said = told("R01-001", "R01-002", "R01-003")
    assert len(set(found.values())) == 3
    assert "doubtful_patients" in said


def test_slices_of_one_patient_alone_stay_one_patient():
    assert set(told("10035_1", "10035_2")[0].values()) == {"10035"}


def test_names_that_may_count_slices_are_a_warning():
    found, said = told("knee1_1", "knee1_2", "knee2_1", "knee2_2")
    assert len(set(found.values())) == 4
    assert "4 studies are counted as patients of their own" in said["doubtful_patients"]
    assert "doubtful_patients" not in told("BraTS2021_00000", "BraTS2021_00001")[1]


def test_the_same_name_in_several_folders_is_a_warning():
    assert "several folders" in told("benign/case 7", "malignant/case 7")[1]["doubtful_patients"]


def test_a_pattern_that_fits_nothing_or_has_no_group_is_refused():
    with pytest.raises(ConfigError, match=r"fits none of 1, such as 'xxxx_0'"):
        told("knee_1", pattern="^(hip_.)")
    with pytest.raises(ConfigError, match="group"):
        told("knee_1", pattern="^knee_.")


def test_a_pattern_that_fits_some_is_a_warning_and_the_rule_tells_the_others():
    found, said = told("knee_1_a", "10035_4", pattern="^(knee_.)")
    assert found == {"knee_1_a": "knee_1", "10035_4": "10035"}
    assert "fits 1 of 2" in said["patient_pattern_fits_some"]


def test_files_that_say_their_patients_are_believed():
    studies = [SourceStudy("1.2.3", "ANNA", ())]
    with collected() as notes:
        (study,) = with_patients(studies, "dicom", "^(.)")
    assert study.patient_key == "ANNA"
    assert [said.code for said in notes] == ["unused_patient_pattern"]
