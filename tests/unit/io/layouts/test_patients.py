"""Slices of one patient are never taken for several patients, nor two patients for one."""

import pytest

from lesionflow.io.layouts.patients import patient_of


@pytest.mark.parametrize(
    ("case", "patient"),
    [
        ("10035_100", "10035"),
        ("mirrored_10043_144", "10043"),
        ("hflip_rot90_10043_7", "10043"),
        ("aug2-7_3", "7"),
        ("sub-07/ses-2/scan", "sub-07"),
        ("study_sub-A1_T1w", "sub-A1"),
        ("lung_003", "lung_003"),
        ("BraTS2021_00495", "BraTS2021_00495"),
        ("patient12_slice_4", "patient12_slice_4"),
        ("patient 12 4", "patient 12"),
        ("left/10035_1", "left/10035"),
        ("left/scan", "left/scan"),
        ("knee", "knee"),
        ("left/", "left"),
    ],
)
def test_the_patient_is_what_stands_before_the_slice(case: str, patient: str) -> None:
    assert patient_of(case) == patient
