import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import NDArray

from lesionflow.phantoms import write_phantoms

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


def test_truth_lies_outside_of_the_dicom_tree_on_the_grid_of_the_images(ct_set: Path) -> None:
    assert {p.name for p in ct_set.iterdir()} == {"dicom", "truth"}
    rows = json.loads((ct_set / "truth/truth.json").read_text())
    assert [row["patient_id"] for row in rows] == [f"PHANTOM-{k:04d}" for k in range(4)]
    assert [row["outlines"] for row in rows] == ["rtstruct", "seg", "rtstruct", "seg"]
    for row in rows:
        mask = SimpleITK.ReadImage(str(ct_set / row["mask"]))
        image = read_series(series_files(ct_set / row["study"], "CT"))
        np.testing.assert_allclose(lps_affine(mask), lps_affine(image), atol=2e-5)
        assert mask.GetSize() == image.GetSize()
        voxel_ml = np.prod(mask.GetSpacing()) / 1000
        found_ml = np.count_nonzero(SimpleITK.GetArrayFromImage(mask)) * voxel_ml
        assert found_ml == pytest.approx(row["label_ml"]["tumor"], rel=0.12)
