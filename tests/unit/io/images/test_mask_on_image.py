"""A mask's file on its image's grid: turned, cut out, by the header's other form, or refused."""

import nibabel as nib
import numpy as np
import pytest

from lesionflow.errors import GeometryMismatchError
from lesionflow.io.images.mask_on_image import read_mask_on
from lesionflow.io.images.nifti import read_volume
from lesionflow.io.notes import collected

AFFINE = np.array([[2.0, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]])
MARKED = np.zeros((6, 5, 4), np.uint8)
MARKED[1, 2, 3] = 1


def read(tmp_path, mask, image=None):
    image = image or nib.Nifti1Image(np.zeros((6, 5, 4), np.int16), AFFINE)
    nib.save(image, tmp_path / "image.nii")
    nib.save(mask, tmp_path / "mask.nii")
    grid = read_volume(tmp_path / "image.nii", name="c-1").geometry
    with collected() as notes:
        found = read_mask_on(tmp_path / "mask.nii", grid, (1,), image=tmp_path / "image.nii", name="c-1")
    return np.argwhere(found.labels).tolist(), [note.code for note in notes]


def test_one_grid_says_nothing(tmp_path):
    assert read(tmp_path, nib.Nifti1Image(MARKED, AFFINE)) == ([[3, 2, 1]], [])


def test_a_mask_stored_the_other_way_round_is_turned(tmp_path):
    # x runs down from its other end: voxel 4 of the mask is voxel 1 of the image.
    turned = AFFINE @ np.array([[-1.0, 0, 0, 5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert read(tmp_path, nib.Nifti1Image(MARKED[::-1], turned)) == ([[3, 2, 1]], ["mask_reordered"])


def test_a_mask_of_a_part_is_put_where_it_lies(tmp_path):
    part = AFFINE.copy()
    part[:3, 3] += [2, 6, 4]  # one column, two rows, one slice further on
    assert read(tmp_path, nib.Nifti1Image(MARKED[1:3, 2:4, 1:4], part)) == ([[3, 2, 1]], ["mask_of_a_part"])


def test_a_part_that_lost_its_place_is_refused(tmp_path):
    image_affine = np.diag([2.0, 3.0, 4.0, 1.0])
    image_affine[:3, 3] = [-2, -3, -4]
    image = nib.Nifti1Image(np.zeros((6, 5, 4), np.int16), image_affine)
    with pytest.raises(GeometryMismatchError):
        read(tmp_path, nib.Nifti1Image(MARKED[:2, :2, :2], np.diag([2.0, 3.0, 4.0, 1.0])), image)


def test_image_and_mask_are_judged_alike_where_the_images_forms_differ(tmp_path):
    other = AFFINE.copy()
    other[0, 3] = 90
    image = nib.Nifti1Image(np.zeros((6, 5, 4), np.int16), AFFINE)
    image.set_sform(AFFINE, 1)
    image.set_qform(other, 1)
    mask = nib.Nifti1Image(MARKED, other)
    assert read(tmp_path, mask, image) == ([[3, 2, 1]], ["mask_by_other_form"])


def test_a_mask_of_another_place_is_refused(tmp_path):
    other = AFFINE.copy()
    other[0, 3] = 90
    with pytest.raises(GeometryMismatchError):
        read(tmp_path, nib.Nifti1Image(MARKED, other))
