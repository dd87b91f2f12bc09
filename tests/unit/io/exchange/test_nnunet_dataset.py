"""A raw data set on disk, read back by SimpleITK."""

import json

import numpy as np
import SimpleITK as sitk

from lesionflow.data.dataset import Dataset
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.io.exchange.nnunet_dataset import TEST, TRAIN, ExportedCase, write_raw_dataset
from lesionflow.io.images.nifti import write_mask, write_volume
from lesionflow.io.stores.cases import image_path, mask_path, write_dataset

GAPPED = Dataset(name="knees", channels={"CT": "ct", "PET": "pet"}, labels={"tumor": 1, "node": 4}, regions={})
GRID = Geometry.from_parts((3, 4, 5), (3.0, 0.8, 0.5), (10.0, -20.0, 5.0))


def test_images_stay_byte_by_byte_and_masks_get_nnunets_values_where_they_were(tmp_path):
    cases, out = tmp_path / "cases", tmp_path / "raw" / "Dataset501_knees"
    labels = np.zeros(GRID.shape, np.uint8)
    labels[0, 1, 2], labels[2, 3, 4], labels[1, 0, 0] = 1, 4, 255
    for name in ("c-1", "c-2"):
        for number in (0, 1):
            array = np.arange(60, dtype=np.float32).reshape(1, 3, 4, 5) + number
            write_volume(image_path(cases, name, number), Volume(array, GRID))
        write_mask(mask_path(cases, name), Mask(labels, GRID))
    write_dataset(cases, GAPPED, 2, some_ignored=True)
    exported = [ExportedCase("c-1", "p-1", TRAIN), ExportedCase("c-2", "p-2", TEST)]
    write_raw_dataset(out, cases, exported, [], {"test_set_sha256": "f" * 64})
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*"))
    assert names == [
        "dataset.json", "imagesTr/c-1_0000.nii.gz", "imagesTr/c-1_0001.nii.gz", "imagesTs/c-2_0000.nii.gz",
        "imagesTs/c-2_0001.nii.gz", "labelsTr/c-1.nii.gz", "labelsTs/c-2.nii.gz", "lesionflow_cases.json",
    ]  # fmt: skip
    assert (out / "imagesTr/c-1_0001.nii.gz").read_bytes() == image_path(cases, "c-1", 1).read_bytes()
    mask = sitk.ReadImage(str(out / "labelsTs/c-2.nii.gz"))
    found = sitk.GetArrayFromImage(mask)
    assert [found[0, 1, 2], found[2, 3, 4], found[1, 0, 0], found.sum()] == [1, 2, 3, 6]
    assert np.allclose(mask.GetSpacing(), (0.5, 0.8, 3.0))
    assert np.allclose(mask.GetOrigin(), (10.0, -20.0, 5.0))
    who = json.loads((out / "lesionflow_cases.json").read_text())
    assert who["cases"][1] == {"case_id": "c-2", "patient_id": "p-2", "use": "test"}
    assert json.loads((out / "dataset.json").read_text())["numTraining"] == 1
