from pathlib import Path

import numpy as np
import pydicom
import pytest

from lesionflow.phantoms import make_study, write_phantoms
from lesionflow.phantoms.dicom.pet import draw_pet_scan
from lesionflow.phantoms.patient import draw_patient

SEED = 7


@pytest.mark.parametrize("index", [1, 2])
def test_suv_computed_by_hand_from_the_stored_values(tmp_path: Path, index: int) -> None:
    write_phantoms(tmp_path, n_cases=1, first=index, seed=SEED, modality="petct")
    study = make_study(SEED, index, "petct")
    pet = study.channels["PET"]
    assert all(a > b for a, b in zip(pet.geometry.spacing_mm[1:], study.truth.geometry.spacing_mm[1:], strict=True))
    n_seen = 0
    for path in (tmp_path / "dicom").rglob("*"):
        if not path.is_file() or (file := pydicom.dcmread(path)).Modality != "PT":
            continue
        k = int(np.rint(pet.geometry.to_index([float(v) for v in file.ImagePositionPatient])[0]))
        value = file.pixel_array * float(file.RescaleSlope) + float(file.RescaleIntercept)
        if file.Units == "BQML":
            info = file.RadiopharmaceuticalInformationSequence[0]
            seconds = [
                int(t[:2]) * 3600 + int(t[2:4]) * 60 + int(t[4:6])
                for t in (file.SeriesTime, info.RadiopharmaceuticalStartTime)
            ]
            decayed = float(info.RadionuclideTotalDose) * 0.5 ** (
                (seconds[0] - seconds[1]) / float(info.RadionuclideHalfLife)
            )
            value = value * float(file.PatientWeight) * 1000 / decayed
        else:
            assert (file.Units, file.SUVType) == ("GML", "BW")
        np.testing.assert_allclose(value, pet.array[0, k], atol=2e-4 * max(1.0, float(pet.array[0, k].max())))
        n_seen += 1
    assert n_seen == pet.geometry.shape[0]


def test_pet_comes_in_both_units() -> None:
    assert {draw_pet_scan(draw_patient(SEED, k, "petct")).units for k in range(12)} == {"BQML", "GML"}
