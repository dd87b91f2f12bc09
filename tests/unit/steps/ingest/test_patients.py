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
    found, said = told("Q01-001", "Q01-002", "Q01-003")
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


SPLIT = {
    ("fdg_0011f3deaf_03-23-2003-NA-PET-CT Ganzkoerper-1", "fdg_0011f3deaf_05-23-2003-NA-PET-CT Ganzkoerper-2"): False,
    ("HCC_001_CT1", "HCC_001_CT2"): False,
    ("ReMIND-001_preop", "ReMIND-001_intraop"): False,
    ("p1_arterial", "p1_venous", "p1_delayed", "p1_native", "p1_nc", "p1_pv"): False,
    ("ICTS_0012_ES", "ICTS_0012_ED"): False,
    ("001a", "001b"): True,
    ("P12", "P12 (1)"): True,
    ("lesion_1_P12", "lesion_2_P12"): True,
    ("slice012_P12", "slice013_P12"): True,
    ("2019_P12", "2020_P12"): True,
    ("Pat_01", "pat_01_b"): True,
    ("MR_100_c", "MR_100_t"): True,
    ("K7_foo", "K7_bar"): True,
    ("A01_pre-op", "A01_post-op"): False,
    ("A01_portal-venous", "A01_late-arterial"): False,
    ("case12 - Copy (2)", "case12"): True,
    ("tumor1_case7", "tumor2_case7"): True,
}


@pytest.mark.parametrize("names", SPLIT)
def test_studies_of_one_patient_are_not_divided_and_a_guess_is_said(names):
    found, said = told(*names, "Z-other")
    assert len(set(found.values())) == 2
    assert ("doubtful_patients" in said) is SPLIT[names]


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        (("TCGA-05-4244", "TCGA-05-4245-01A", "TCGA-05-4245-02A"), {"TCGA-05-4244", "TCGA-05-4245"}),
        (("002_S_0295_20060418", "002_S_0295_20070525", "002_S_0413_20060502"), {"002_S_0295", "002_S_0413"}),
    ],
)
def test_patients_of_known_collections_are_not_joined(names, patients):
    found, said = told(*names)
    assert set(found.values()) == patients
    assert "doubtful_patients" not in said


def test_what_may_be_a_site_and_a_patient_or_a_patient_and_a_slice_is_joined_and_said():
    found, said = told("01-001", "01-002", "02-001", "02-002")
    assert set(found.values()) == {"01", "02"}
    assert "4 studies are counted as 2 patients" in said["doubtful_patients"]
    assert "'^(.+)$'" in said["doubtful_patients"]
    assert len(set(told("01-001", "01-002", "01-003")[0].values())) == 3


def test_a_number_behind_a_site_s_is_said_whatever_stands_before_it():
    found, said = told("S-101-001", "S-101-002", "S-102-001")
    assert set(found.values()) == {"S-101", "S-102"}
    assert "doubtful_patients" in said


@pytest.mark.parametrize("names", [("100_HM10395", "100_HM10396"), ("hosp1_P12", "hosp1_P13")])
def test_a_code_behind_a_number_is_a_patient_of_its_own_and_said(names):
    found, said = told(*names, "Z-other")
    assert len(set(found.values())) == 3
    assert "doubtful_patients" in said


def test_a_longer_ending_that_differs_is_a_warning():
    found, said = told("K7_somewhere", "K7_elsewhere", "K8_anywhere")
    assert len(set(found.values())) == 3
    assert "differ by the last word alone" in said["doubtful_patients"]


def test_a_guess_joined_with_a_sure_name_is_said():
    assert "2 studies are counted as 1 patients" in told("P12", "P12 (1)", "P13")[1]["doubtful_patients"]
