from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import NDArray

from lesionflow.phantoms import make_study, write_phantoms
from lesionflow.phantoms.patient import draw_patient

SEED = 5


def series_files(folder: Path, modality: str) -> list[Path]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    return [p for p in files if pydicom.dcmread(p, stop_before_pixels=True).Modality == modality]


def read_series(files: list[Path]) -> SimpleITK.Image:
    """Read with GDCM, which sorts by position and rescales by itself."""
    reader = SimpleITK.ImageSeriesReader()
    uid = pydicom.dcmread(files[0], stop_before_pixels=True).SeriesInstanceUID
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(files[0].parent), uid))
    return reader.Execute()


def lps_affine(image: SimpleITK.Image) -> NDArray[np.float64]:
    """Affine from (slice, row, column) to LPS mm, from SimpleITK's parts."""
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, :3] = direction[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    return affine


@pytest.fixture(scope="module")
def ct_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ct")
    write_phantoms(out, n_cases=4, seed=SEED, file_format="dicom", modality="ct", first=0)
    return out


@pytest.mark.parametrize("index", range(4))
def test_another_reader_sees_the_same_hu_at_the_same_places(ct_set: Path, index: int) -> None:
    study = make_study(SEED, index, "ct")
    image = read_series(series_files(ct_set / f"dicom/PHANTOM-{index:04d}", "CT"))
    np.testing.assert_allclose(lps_affine(image), study.truth.geometry.affine, atol=2e-5)
    slope = study.patient.scanner[3]
    hu = SimpleITK.GetArrayFromImage(image)
    assert np.abs(hu - study.channels["CT"].array[0]).max() <= slope / 2 + 1e-3


def test_scanners_store_signed_and_unsigned_with_several_rescales(ct_set: Path) -> None:
    kinds = {draw_patient(SEED, index, "ct").scanner[2:] for index in range(30)}
    assert len(kinds) == 4
    for index in range(4):
        file = pydicom.dcmread(series_files(ct_set / f"dicom/PHANTOM-{index:04d}", "CT")[0])
        _, _, kind, slope, intercept = draw_patient(SEED, index, "ct").scanner
        assert (file.PixelRepresentation == 1) == (kind == "int16")
        assert (float(file.RescaleSlope), float(file.RescaleIntercept)) == (slope, intercept)


def test_files_are_named_in_no_order_of_place(ct_set: Path) -> None:
    orders = []
    for index in range(4):
        files = sorted(series_files(ct_set / f"dicom/PHANTOM-{index:04d}", "CT"))
        heights = [float(pydicom.dcmread(f, stop_before_pixels=True).ImagePositionPatient[2]) for f in files]
        orders.append(bool((np.diff(heights) > 0).all() or (np.diff(heights) < 0).all()))
    assert not any(orders)
