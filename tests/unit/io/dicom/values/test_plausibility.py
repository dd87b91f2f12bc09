"""What can't be, and what is seldom, by figures that are known from routine."""

from itertools import pairwise

import numpy as np
import pytest
from pydicom.dataset import Dataset

from lesionflow.errors import DicomError
from lesionflow.io.dicom.values.plausibility import (
    HALF_LIVES_S,
    require_dose,
    require_half_life,
    require_hu,
    require_suv,
    say_uptake,
)
from lesionflow.io.notes import collected


def said(call, *args):
    with collected() as notes:
        call(*args, name="c-1")
    return [note.code for note in notes]


def refusal(call, *args):
    with pytest.raises(DicomError, match="c-1") as caught:
        call(*args, name="c-1")
    return caught.value.reason


@pytest.mark.parametrize(
    ("dose_bq", "weight_kg", "notes"),
    [
        (370e6, 70.0, []),
        # A small child's FDG, a mouse's, a heart's rubidium, zirconium of a heavy patient.
        (26e6, 4.0, []),
        (7e6, 0.025, ["unusual_dose", "unusual_weight"]),
        (2.2e9, 80.0, []),
        (37e6, 160.0, []),
        (370e6, 300.0, ["unusual_weight"]),
        (4e9, 70.0, ["unusual_dose"]),
    ],
)
def test_doses_and_weights_that_occur(dose_bq, weight_kg, notes):
    assert sorted(set(said(require_dose, dose_bq, weight_kg))) == notes


@pytest.mark.parametrize(
    ("dose_bq", "weight_kg", "reason"),
    [
        # MBq, kBq, mCi, mBq; grams, tons.
        (370.0, 70.0, "implausible_dose"),
        (370e3, 70.0, "implausible_dose"),
        (10.0, 70.0, "implausible_dose"),
        (370e9, 70.0, "implausible_dose"),
        (370e6, 70_000.0, "implausible_weight"),
        (370e6, 0.07, "implausible_dose"),
        (370e6, 0.0007, "implausible_weight"),
        (1.5e6, 70.0, "implausible_dose"),
    ],
)
def test_figures_of_another_unit_are_refused(dose_bq, weight_kg, reason):
    assert refusal(require_dose, dose_bq, weight_kg) == reason


def drug(code=None):
    data, nuclide = Dataset(), Dataset()
    if code:
        nuclide.CodeValue, nuclide.CodingSchemeDesignator = code, "SRT"
        data.RadionuclideCodeSequence = [nuclide]
    return data


def test_half_lives_of_nuclides_as_scanners_round_them():
    for half_life_s, code in ((6588.0, "C-111A1"), (6586.2, "77004003"), (4080.0, "C-131A3"), (1220.0, "C-105A1")):
        assert said(require_half_life, half_life_s, drug(code)) == []
    assert said(require_half_life, 53_000.0, drug()) == ["unusual_half_life"]


@pytest.mark.parametrize(
    ("half_life_s", "code"),
    [(109.77, "C-111A1"), (4080.0, "77004003"), (1.83, None), (3.4e8, None)],
    ids=["minutes", "gallium said to be fluorine", "hours", "too long"],
)
def test_half_lives_of_another_unit_or_nuclide_are_refused(half_life_s, code):
    assert refusal(require_half_life, half_life_s, drug(code)) == "implausible_half_life"


def test_no_two_nuclides_are_taken_for_one_another():
    known = sorted(HALF_LIVES_S.values())
    assert all(after > before * 1.11 for before, after in pairwise(known))


def test_unusual_waits_are_said():
    assert said(say_uptake, 3600.0, 6588.0) == []
    for wait_s in (600.0, 6 * 3600.0):
        assert said(say_uptake, wait_s, 6588.0) == ["unusual_uptake_time"]


def test_no_image_holds_more_than_was_injected():
    # 70 kg with an SUV of 1 throughout are 70,000 ml of it.
    body = np.ones((70, 10, 10), np.float32)
    assert said(require_suv, body, 10.0, 70.0) == []
    assert said(require_suv, body * 2, 10.0, 70.0) == ["unusual_suv"]
    assert refusal(require_suv, body * 4, 10.0, 70.0) == "implausible_suv"
    assert said(require_suv, body * 4, 10.0, 0.0) == []
    assert said(require_suv, body * 2000, 0.001, 70.0) == ["unusual_suv"]
    assert refusal(require_suv, body * 26_734, 0.001, 70.0) == "implausible_suv"


def test_the_brightest_voxel_of_a_scan_is_brighter_than_noise():
    """A brain of SUV 10 and a bladder of 90 whose kBq/ml were taken for Bq/ml."""
    for faint in (0.0, 2.8e-4, 0.01, 0.09):
        assert refusal(require_suv, np.linspace(0, faint, 12, dtype=np.float32), 0.1, 70.0) == "implausible_suv"
    assert said(require_suv, np.linspace(0, 0.2, 12, dtype=np.float32), 0.1, 70.0) == ["unusual_suv"]
    assert said(require_suv, np.linspace(0, 1.2, 12, dtype=np.float32), 0.1, 70.0) == []


@pytest.mark.parametrize(
    ("lowest", "highest", "notes"),
    [
        (-1024, 3071, []),
        (-3024, 31_000, []),
        (0, 0, []),
        (1, 4095, ["no_air"]),
        (0, 60, ["no_air"]),
        (-30, 60, []),
        (-1000, -1000, []),
    ],
)
def test_hu_that_occur(lowest, highest, notes):
    assert said(require_hu, np.linspace(lowest, highest, 12, dtype=np.float32)) == notes


def test_a_mask_stored_as_ct_is_read_and_that_is_said():
    """As a test object of another project has it: 0 outside, 1 inside."""
    assert said(require_hu, np.eye(5, dtype=np.float32)) == ["unusual_hu"]


@pytest.mark.parametrize(("lowest", "highest"), [(0.0, 0.5), (-0.01, 9.0), (-1024, 64_000), (-64_000, 3000)])
def test_values_that_are_no_hu_are_refused(lowest, highest):
    """Attenuation per mm and per cm, signed numbers read as unsigned and the other way round."""
    assert refusal(require_hu, np.linspace(lowest, highest, 12, dtype=np.float32)) == "implausible_hu"
