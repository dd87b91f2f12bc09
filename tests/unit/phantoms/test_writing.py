"""Files of phantoms: the same bytes again, real DICOM, HU and places as another reader sees them."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import NDArray

from lesionflow.errors import ConfigError
from lesionflow.phantoms import make_study, write_phantoms
from lesionflow.phantoms.patient import draw_patient

SEED = 5


def digests(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


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


@pytest.mark.parametrize("modality", ["petct", "mr4"])
def test_same_seed_gives_the_same_bytes(modality: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        n_processes = 1 if name == "one" else 2
        write_phantoms(
            tmp_path / name, n_cases=2, seed=SEED, file_format="dicom", modality=modality, workers=n_processes
        )
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_a_patient_does_not_depend_on_how_many_are_made(ct_set: Path, tmp_path: Path) -> None:
    write_phantoms(tmp_path, n_cases=1, seed=SEED, first=2)
    write_phantoms(tmp_path, n_cases=1, seed=SEED, first=3)
    alone, together = digests(tmp_path), digests(ct_set)
    assert len(alone) > 50
    assert {k: v for k, v in alone.items() if "truth.json" not in k}.items() <= together.items()
    truths = {row["patient_id"]: row for row in json.loads((ct_set / "truth/truth.json").read_text())}
    for row in json.loads((tmp_path / "truth/truth.json").read_text()):
        assert row == truths[row["patient_id"]]


def test_another_seed_gives_other_bytes_and_uids(ct_set: Path, tmp_path: Path) -> None:
    write_phantoms(tmp_path, n_cases=1, seed=SEED + 1)
    ours, theirs = series_files(ct_set / "dicom/PHANTOM-0000", "CT"), series_files(tmp_path / "dicom", "CT")
    assert pydicom.dcmread(ours[0]).StudyInstanceUID != pydicom.dcmread(theirs[0]).StudyInstanceUID
    assert pydicom.dcmread(ours[0]).FrameOfReferenceUID != pydicom.dcmread(theirs[0]).FrameOfReferenceUID


@pytest.mark.parametrize("index", range(4))
def test_another_reader_sees_the_same_hu_at_the_same_places(ct_set: Path, index: int) -> None:
    study = make_study(SEED, index, "ct")
    image = read_series(series_files(ct_set / f"dicom/PHANTOM-{index:04d}", "CT"))
    np.testing.assert_allclose(lps_affine(image), study.truth.geometry.affine, atol=2e-5)
    slope = study.patient.scanner[3]
    hu = SimpleITK.GetArrayFromImage(image)
    assert np.abs(hu - study.channels["CT"].array[0]).max() <= slope / 2 + 1e-3


def test_geometry_varies_over_patients() -> None:
    grids = [draw_patient(SEED, index, "ct").geometry for index in range(30)]
    oblique = [np.abs(np.abs(g.direction).max(axis=0) - 1).max() > 1e-4 for g in grids]
    unequal = [abs(g.spacing_mm[1] - g.spacing_mm[2]) > 0.05 for g in grids]
    assert 2 <= sum(oblique) <= 15
    assert 3 <= sum(unequal) <= 20
    assert len({round(g.spacing_mm[0], 3) for g in grids}) >= 3
    assert all(28 <= g.shape[0] <= 44 for g in grids)


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


def test_identity_is_there_to_be_removed(ct_set: Path) -> None:
    file = pydicom.dcmread(series_files(ct_set / "dicom/PHANTOM-0002", "CT")[0])
    assert file.PatientID == "PHANTOM-0002"
    assert "^" in str(file.PatientName)
    for keyword in ("PatientBirthDate", "InstitutionName", "ReferringPhysicianName", "AccessionNumber", "StudyDate"):
        assert file[keyword].value, keyword


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


def test_writing_again_replaces_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    for _ in range(2):
        write_phantoms(tmp_path, n_cases=1, seed=SEED, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 1), (1, 1)]
    assert not list(tmp_path.rglob(".partial*"))
    assert len(series_files(tmp_path / "dicom", "CT")) == make_study(SEED, 0, "ct").truth.geometry.shape[0]


@pytest.mark.parametrize(("n_cases", "first"), [(0, 0), (1, -1)])
def test_nobody_to_make_is_refused(tmp_path: Path, n_cases: int, first: int) -> None:
    with pytest.raises(ConfigError, match="at least one patient"):
        write_phantoms(tmp_path, n_cases=n_cases, first=first, seed=SEED)


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / ".partial-PHANTOM-0000/study/half.dcm"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    write_phantoms(tmp_path, n_cases=1, seed=SEED)
    assert not list(tmp_path.rglob("*half*"))
    assert {p.name for p in tmp_path.iterdir()} == {"dicom", "truth"}


@pytest.mark.parametrize("kind", ["rtstruct", "seg"])
def test_outlines_of_one_kind(tmp_path: Path, kind: str) -> None:
    truths = write_phantoms(tmp_path, n_cases=2, seed=SEED, outlines=kind)
    assert [t.outlines for t in truths] == [kind, kind]
    assert len(series_files(tmp_path / "dicom", {"rtstruct": "RTSTRUCT", "seg": "SEG"}[kind])) == 2


def test_nifti_is_the_nnunet_raw_layout_on_one_grid(tmp_path: Path) -> None:
    write_phantoms(tmp_path, n_cases=2, seed=SEED, file_format="nifti", modality="petct")
    content = json.loads((tmp_path / "nifti/dataset.json").read_text())
    assert content["channel_names"] == {"0": "CT", "1": "PET"}
    assert content["labels"] == {"background": 0, "tumor": 1}
    assert content["numTraining"] == 2
    study = make_study(SEED, 1, "petct")
    images = [SimpleITK.ReadImage(str(tmp_path / f"nifti/imagesTr/PHANTOM-0001_000{k}.nii.gz")) for k in (0, 1)]
    for image in images:
        np.testing.assert_allclose(lps_affine(image), study.truth.geometry.affine, atol=1e-4)
    assert np.abs(SimpleITK.GetArrayFromImage(images[0]) - study.channels["CT"].array[0]).max() <= 0.501
    # A point of the PET grid, looked up in the resampled file: linear interpolation between smooth voxels.
    pet = study.channels["PET"]
    where = pet.geometry.to_lps((20, 40, 44))
    index = images[1].TransformPhysicalPointToIndex(where)
    around = SimpleITK.GetArrayFromImage(images[1])[index[2], index[1] - 1 : index[1] + 2, index[0] - 1 : index[0] + 2]
    assert around.min() - 0.2 <= pet.array[0, 20, 40, 44] <= around.max() + 0.2
    labels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "nifti/labelsTr/PHANTOM-0001.nii.gz")))
    np.testing.assert_array_equal(labels, study.truth.labels)


def test_png_slices_with_masks(tmp_path: Path) -> None:
    write_phantoms(tmp_path, n_cases=1, seed=SEED, file_format="png", modality="ct")
    study = make_study(SEED, 0, "ct")
    images, masks = sorted((tmp_path / "png/images").iterdir()), sorted((tmp_path / "png/masks").iterdir())
    assert [p.name for p in images] == [p.name for p in masks]
    stack = np.stack([SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(p))) for p in masks])
    np.testing.assert_array_equal(stack, study.truth.labels * np.uint8(255))
