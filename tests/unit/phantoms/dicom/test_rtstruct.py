from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from matplotlib.path import Path as Polygon
from numpy.typing import NDArray

from lesionflow.phantoms import write_phantoms

SEED = 5


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sets")
    for kind in ("rtstruct", "seg"):
        write_phantoms(out / kind, n_cases=3, seed=SEED, outlines=kind)
    write_phantoms(out / "mr4 rtstruct", n_cases=1, first=1, seed=SEED, modality="mr4", outlines="rtstruct")
    write_phantoms(out / "mr4 seg", n_cases=1, first=1, seed=SEED, modality="mr4", outlines="seg")
    return out


def rasterize(structure_set: pydicom.Dataset, name: str, mask: SimpleITK.Image) -> NDArray[np.bool_]:
    """Voxel centers inside the contours of a ROI, combined by exclusive or: matplotlib's polygons, ITK's geometry."""
    numbers = {roi.ROIName: roi.ROINumber for roi in structure_set.StructureSetROISequence}
    result = np.zeros(SimpleITK.GetArrayViewFromImage(mask).shape, dtype=bool)
    rows, columns = np.mgrid[: result.shape[1], : result.shape[2]]
    centers = np.column_stack([columns.ravel(), rows.ravel()])
    for roi in structure_set.ROIContourSequence:
        if roi.ReferencedROINumber != numbers[name]:
            continue
        for contour in roi.get("ContourSequence", ()):
            points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
            index = np.array([mask.TransformPhysicalPointToContinuousIndex(p) for p in points])
            (k,) = np.unique(np.rint(index[:, 2]).astype(int))
            assert np.abs(index[:, 2] - k).max() < 1e-3
            result[k] ^= Polygon(index[:, :2]).contains_points(centers).reshape(rows.shape)
    return result


def one_file(folder: Path, name: str) -> pydicom.Dataset:
    (path,) = folder.rglob(name)
    return pydicom.dcmread(path)


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.mark.parametrize("index", [1, 2])
def test_contours_give_the_truth_mask(sets: Path, index: int) -> None:
    structures = one_file(sets / f"rtstruct/dicom/PHANTOM-{index:04d}", "RS.dcm")
    truth = SimpleITK.ReadImage(str(sets / f"rtstruct/truth/PHANTOM-{index:04d}.nii.gz"))
    names = [roi.ROIName for roi in structures.StructureSetROISequence]
    assert {"BODY", "Lung_L"} < set(names)
    targets = np.any([rasterize(structures, n, truth) for n in names if n.startswith("GTV")], axis=0)
    assert dice(targets, SimpleITK.GetArrayFromImage(truth) > 0) > 0.999
    body = rasterize(structures, "BODY", truth)
    assert body[targets].all()
    assert body.sum() / targets.sum() > 3


def test_contours_of_rings_combine_by_exclusive_or(sets: Path) -> None:
    structures = one_file(sets / "mr4 rtstruct", "RS.dcm")
    truth = SimpleITK.ReadImage(str(sets / "mr4 rtstruct/truth/PHANTOM-0001.nii.gz"))
    labels = SimpleITK.GetArrayFromImage(truth)
    for name, label in {"NCR": 1, "ED": 2, "ET": 3}.items():
        assert np.count_nonzero(labels == label) > 20
        assert dice(rasterize(structures, name, truth), labels == label) > 0.995


def test_a_structure_set_refers_to_the_slices(sets: Path) -> None:
    structures = one_file(sets / "rtstruct/dicom/PHANTOM-0001", "RS.dcm")
    images = {}
    for path in (sets / "rtstruct/dicom/PHANTOM-0001").rglob("*"):
        if path.is_file() and path.name != "RS.dcm":
            file = pydicom.dcmread(path, stop_before_pixels=True)
            images[file.SOPInstanceUID] = file
    some = next(iter(images.values()))
    frame = structures.ReferencedFrameOfReferenceSequence[0]
    assert frame.FrameOfReferenceUID == some.FrameOfReferenceUID
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == some.SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in series.ContourImageSequence} == set(images)
    for roi in structures.ROIContourSequence:
        for contour in roi.ContourSequence:
            image = images[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
            normal = np.cross(image.ImageOrientationPatient[:3], image.ImageOrientationPatient[3:])
            offset = np.array(contour.ContourData[:3], dtype=float) - image.ImagePositionPatient
            assert abs(float(normal @ offset)) < 1e-2
