"""Copies in collections as they were published, and patients who are none."""

import nibabel
import numpy as np
import pytest
from PIL import Image

from lesionflow.cohort.image_signature import sign_image
from lesionflow.cohort.near_duplicates import find_near_duplicates

pytestmark = pytest.mark.real


def _pairs(images):
    names = list(images)
    grids, details = zip(
        *(sign_image(np.ascontiguousarray(image, np.float32)) for image in images.values()), strict=True
    )
    return {(names[pair.first], names[pair.second]) for pair in find_near_duplicates(grids, details)}


def _pictures(folder):
    return {path.stem: np.asarray(Image.open(path).convert("L"))[None] for path in sorted(folder.iterdir())}


def test_the_mirrored_copies_of_kits19_are_found_and_no_two_patients(shared_data):
    # Saved as JPEG again after mirroring; all other `flipped_` and `mirrored_` slices lie here without their source.
    assert _pairs(_pictures(shared_data / "kits19_2d_jpg" / "images")) == {
        ("10152_753", "mirrored_10152_753"),
        ("flipped_10043_255", "mirrored_10043_255"),
    }


@pytest.mark.parametrize(
    ("folder", "patient_of"),
    [("lgg_2d_jpg", lambda name: name[:12]), ("msd06_lung_2d_png", lambda name: name.split("_")[0])],
)
def test_slices_of_different_patients_are_no_copies(shared_data, folder, patient_of):
    pictures = _pictures(shared_data / folder / "images")
    assert len({patient_of(name) for name in pictures}) >= 7
    assert all(patient_of(one) == patient_of(other) for one, other in _pairs(pictures))


@pytest.mark.parametrize("channel", [("flair", "Flair"), ("t1ce", "T1c")])
def test_two_brains_in_one_atlas_are_no_copies_but_a_mirrored_noisy_one_is(shared_data, channel):
    folders = shared_data / "brats" / "BraTS2021_00006", shared_data / "brats" / "brats2015_brats_2013_pat0005_1"
    paths = folders[0] / f"BraTS2021_00006_{channel[0]}.nii.gz", folders[1] / f"{channel[1]}_subtrMeanDivStd.nii.gz"
    one, other = (nibabel.load(path).get_fdata(dtype=np.float32).T for path in paths)
    noise = np.random.default_rng(4).normal(0, 0.02 * np.percentile(one, 99), one.shape)
    copy = np.flip(one + noise, 2)[:, ::2, ::2]
    assert _pairs({"one": one, "other": other, "copy": copy}) == {("one", "copy")}
