"""Slices, follow-ups and lesions of one patient are never taken for several patients, nor two patients for one."""

import pytest

from lesionflow.io.layouts.patient_in_name import find_patient, is_mark, patient_of


@pytest.mark.parametrize(
    ("case", "patient"),
    [
        # Slices
        ("10035_100", "10035"),
        ("mirrored_10043_144", "10043"),
        ("flipped_mirrored_10043_255", "10043"),
        ("hflip_rot90_10043_7", "10043"),
        ("10035_flip", "10035"),
        ("aug2-7_3", "7"),
        ("PHANTOM-0001_003", "PHANTOM-0001"),
        ("pat12_3", "pat12"),
        ("A1_3", "A1"),
        ("patient12_slice_4", "patient12"),
        ("10035_slice004", "10035"),
        ("patient 12 4", "patient 12"),
        ("10035_2_100", "10035"),
        ("patient001/patient001_frame01", "patient001"),
        ("p1/img2", "p1"),
        ("s0001/003", "s0001"),
        # Examinations
        ("UCSF-PDGM-0004_FU003d", "UCSF-PDGM-0004"),
        ("PatientID_0003_Timepoint_2", "PatientID_0003"),
        ("P12_ses-2", "P12"),
        ("P12_visit1", "P12"),
        ("P12_baseline", "P12"),
        ("P12_t0", "P12"),
        ("P12-T1", "P12"),
        ("P12_scan2", "P12"),
        ("P4_12m", "P4"),
        ("P3_2019-03-04", "P3"),
        ("2_midRT", "2"),
        ("ANNA_pre", "ANNA"),
        ("ANNA_post", "ANNA"),
        ("ANNA_follow-up", "ANNA"),
        ("0007_FU1", "0007"),
        ("10035_FU1_slice_004", "10035"),
        ("TCGA_CS_4941_19960909_11", "TCGA_CS_4941"),
        ("Patient-001/week-044/", "Patient-001"),
        ("PETCT_0011f3deaf/03-23-2003-NA-PET-CT/", "PETCT_0011f3deaf"),
        ("BraTS-GLI-00002-000", "BraTS-GLI-00002"),
        ("Brats18_TCIA02_377_1", "Brats18_TCIA02_377"),
        ("Brats18_2013_10_1", "Brats18_2013_10"),
        ("brats_2013_pat0005_1", "brats_2013_pat0005"),
        ("UCSD-PTGBM-0002_01", "UCSD-PTGBM-0002"),
        ("sub-07/ses-2/scan", "sub-07"),
        ("study_sub-A1_T1w", "sub-A1"),
        # Lesions and sides
        ("LIDC-IDRI-1002_R_1", "LIDC-IDRI-1002"),
        ("LIDC-IDRI-0012_R_10", "LIDC-IDRI-0012"),
        ("Image_01L", "Image_01"),
        # A number that counts the cases is no slice of one patient.
        ("lung_003", "lung_003"),
        ("LUNG1_001", "LUNG1_001"),
        ("case_001", "case_001"),
        ("case_00012/", "case_00012"),
        ("BRATS_001", "BRATS_001"),
        ("BraTS2021_00000", "BraTS2021_00000"),
        ("BraTS20_Training_001", "BraTS20_Training_001"),
        ("Brats18_CBICA_AAB_1", "Brats18_CBICA_AAB_1"),
        ("volume-0", "volume-0"),
        ("Training Batch 1/volume-0", "Training Batch 1/volume-0"),
        ("CHUM-001", "CHUM-001"),
        ("amos_0001", "amos_0001"),
        ("C3N-00198", "C3N-00198"),
        ("benign/benign (4)", "benign/benign (4)"),
        ("CT-1/study_0255", "CT-1/study_0255"),
        ("1.3.6.1.4.1.14519.5.2.1.6279.6001.1002252", "1.3.6.1.4.1.14519.5.2.1.6279.6001.1002252"),
        # Nobody is named by what would be left.
        ("scan_visit1", "scan_visit1"),
        ("case_scan2", "case_scan2"),
        # Folders
        ("site/10035_9", "site/10035"),
        ("left/10035_1", "left/10035"),
        ("left/scan", "left/scan"),
        ("Center_01/Patient_01/", "Center_01/Patient_01"),
        ("knee", "knee"),
        ("left/", "left"),
    ],
)
def test_the_patient_is_what_stands_before_the_mark(case: str, patient: str) -> None:
    assert patient_of(case) == patient


def test_what_told_the_patient_is_said_and_a_guess_is_called_one() -> None:
    assert find_patient("10035_100")[1:] == ("what stands before the last number", False)
    assert find_patient("lung_001").told_by == "the whole name"
    assert find_patient("A1_3").doubtful
    assert find_patient("p1/img2").doubtful


def test_marks_name_nobody() -> None:
    assert [is_mark(word) for word in ("FU003d", "T1", "slice", "12", "Smith")] == [True, True, True, True, False]
