from pathlib import Path

import pydicom
import pytest

from lesionflow.phantoms import write_phantoms

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
