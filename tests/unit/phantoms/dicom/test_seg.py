from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import NDArray

from lesionflow.phantoms import make_study, write_phantoms

SEED = 5
#: With this seed, the patient without a tumor.
HEALTHY = 0


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sets")
    for kind in ("rtstruct", "seg"):
        write_phantoms(out / kind, n_cases=3, seed=SEED, outlines=kind)
    write_phantoms(out / "mr4 rtstruct", n_cases=1, first=1, seed=SEED, modality="mr4", outlines="rtstruct")
    write_phantoms(out / "mr4 seg", n_cases=1, first=1, seed=SEED, modality="mr4", outlines="seg")
    return out


def one_file(folder: Path, name: str) -> pydicom.Dataset:
    (path,) = folder.rglob(name)
    return pydicom.dcmread(path)


def frames_of(segmentation: pydicom.Dataset, label: str, mask: SimpleITK.Image) -> NDArray[np.bool_]:
    """Put a segment's frames where their positions say, with pydicom and ITK's geometry alone."""
    number = {s.SegmentLabel: s.SegmentNumber for s in segmentation.SegmentSequence}[label]
    result = np.zeros(SimpleITK.GetArrayViewFromImage(mask).shape, dtype=bool)
    pixels = segmentation.pixel_array.reshape(-1, segmentation.Rows, segmentation.Columns)
    for frame, groups in zip(pixels, segmentation.PerFrameFunctionalGroupsSequence, strict=True):
        if groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number:
            position = [float(p) for p in groups.PlanePositionSequence[0].ImagePositionPatient]
            result[mask.TransformPhysicalPointToIndex(position)[2]] = frame > 0
    return result


@pytest.mark.parametrize("index", [1, 2])
def test_segmentation_gives_the_truth_mask(sets: Path, index: int) -> None:
    segmentation = one_file(sets / f"seg/dicom/PHANTOM-{index:04d}", "SEG.dcm")
    truth = SimpleITK.ReadImage(str(sets / f"seg/truth/PHANTOM-{index:04d}.nii.gz"))
    np.testing.assert_array_equal(frames_of(segmentation, "Tumor", truth), SimpleITK.GetArrayFromImage(truth) > 0)
    first = segmentation.SegmentSequence[0]
    assert first.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
    assert first.SegmentedPropertyTypeCodeSequence[0].CodeValue == "108369006"
    assert [s.SegmentLabel for s in segmentation.SegmentSequence] == ["Tumor", "Lung_L"]
    assert len(segmentation.ReferencedSeriesSequence) == 1


def test_segmentation_of_several_labels(sets: Path) -> None:
    segmentation = one_file(sets / "mr4 seg", "SEG.dcm")
    truth = SimpleITK.ReadImage(str(sets / "mr4 seg/truth/PHANTOM-0001.nii.gz"))
    for name, label in {"NCR": 1, "ED": 2, "ET": 3}.items():
        np.testing.assert_array_equal(frames_of(segmentation, name, truth), SimpleITK.GetArrayFromImage(truth) == label)


def test_a_target_that_is_not_there_is_named_and_empty(sets: Path) -> None:
    assert make_study(SEED, HEALTHY, "ct").tumors == ()
    structures = one_file(sets / f"rtstruct/dicom/PHANTOM-{HEALTHY:04d}", "RS.dcm")
    (number,) = (r.ROINumber for r in structures.StructureSetROISequence if r.ROIName.startswith("GTV"))
    (contours,) = (r for r in structures.ROIContourSequence if r.ReferencedROINumber == number)
    assert "ContourSequence" not in contours
    segmentation = one_file(sets / f"seg/dicom/PHANTOM-{HEALTHY:04d}", "SEG.dcm")
    truth = SimpleITK.ReadImage(str(sets / f"seg/truth/PHANTOM-{HEALTHY:04d}.nii.gz"))
    assert not frames_of(segmentation, "Tumor", truth).any()
    assert frames_of(segmentation, "Lung_L", truth).any()
