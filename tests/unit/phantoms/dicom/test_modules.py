from pathlib import Path

import pydicom
import pytest

from lesionflow.phantoms import write_phantoms
from lesionflow.phantoms.dicom.modules import decimal

SEED = 5


def series_files(folder: Path, modality: str) -> list[Path]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    return [p for p in files if pydicom.dcmread(p, stop_before_pixels=True).Modality == modality]


@pytest.fixture(scope="module")
def ct_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ct")
    write_phantoms(out, n_cases=4, seed=SEED, file_format="dicom", modality="ct", first=0)
    return out


def test_identity_is_there_to_be_removed(ct_set: Path) -> None:
    file = pydicom.dcmread(series_files(ct_set / "dicom/PHANTOM-0002", "CT")[0])
    assert file.PatientID == "PHANTOM-0002"
    assert "^" in str(file.PatientName)
    for keyword in ("PatientBirthDate", "InstitutionName", "ReferringPhysicianName", "AccessionNumber", "StudyDate"):
        assert file[keyword].value, keyword


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (-31.5, "-31.5"),
        (6e-17, "0"),
        (-0.36, "-0.36"),
        (1 / 3, "0.3333333333"),
        (9.155552842799158e-05, "0.0000915555"),
        (4.25e-9, "4.25e-09"),
        (-1234567890123456.0, "-1.234567890e+15"),
    ],
)
def test_a_decimal_string_means_its_number_in_16_characters(value: float, text: str) -> None:
    assert decimal(value) == text
    assert len(text) <= 16
    assert float(text) == pytest.approx(value, rel=1e-6, abs=1e-12)
