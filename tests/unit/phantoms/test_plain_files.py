import json
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from lesionflow.phantoms import make_study, write_phantoms

SEED = 5


def lps_affine(image: SimpleITK.Image) -> NDArray[np.float64]:
    """Affine from (slice, row, column) to LPS mm, from SimpleITK's parts."""
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, :3] = direction[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    return affine


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
