"""Headers written byte by byte: which of two places is taken, and what is said of it."""

import gzip
import struct

import nibabel as nib
import numpy as np
import pytest

from lesionflow.errors import NiftiError
from lesionflow.io.images.nifti import read_forms, read_volume
from lesionflow.io.notes import collected

#: x is 2 mm, y 3 mm, z 4 mm; the first voxel lies 10 mm right, 20 mm to the front and 30 mm up (RAS).
AFFINE = np.array([[2.0, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]])
QFORM_CODE, SFORM_CODE, PIXDIM, SROW_X, MAGIC_END = 252, 254, 80, 280, 348


def written(tmp_path, edits=()):
    path = tmp_path / "image.nii.gz"
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), AFFINE)
    image.set_qform(AFFINE, 1)
    image.set_sform(AFFINE, 1)
    content = bytearray(image.to_bytes())
    for place, form, *values in edits:
        struct.pack_into(form, content, place, *values)
    path.write_bytes(gzip.compress(bytes(content)))
    return path


def read(tmp_path, *edits):
    with collected() as notes:
        volume = read_volume(written(tmp_path, edits), name="c-1")
    return volume.geometry, [note.code for note in notes]


def test_both_forms_alike_say_nothing(tmp_path):
    grid, notes = read(tmp_path)
    assert notes == []
    # RAS (10, 20, 30) is LPS (-10, -20, 30).
    np.testing.assert_allclose(grid.origin_mm, (-10, -20, 30), atol=1e-5)
    np.testing.assert_allclose(grid.spacing_mm, (4, 3, 2), rtol=1e-5)
    assert len(read_forms(written(tmp_path), name="c-1")) == 2


def test_the_sform_is_taken_and_said_when_they_lie_apart(tmp_path):
    # The sform's x runs 8 mm further on: 4 voxels of 2 mm.
    grid, notes = read(tmp_path, (SROW_X + 12, "<f", 18.0))
    np.testing.assert_allclose(grid.origin_mm, (-18, -20, 30), atol=1e-5)
    assert notes == ["sform_and_qform_differ"]


def test_voxels_of_two_sizes_are_refused(tmp_path):
    with pytest.raises(NiftiError, match=r"1\.000 mm by its sform") as caught:
        read(tmp_path, (SROW_X, "<f", 1.0))
    assert caught.value.reason == "contradictory_geometry"


def test_an_sform_of_zeros_gives_way_to_the_qform(tmp_path):
    grid, notes = read(tmp_path, (SROW_X, "<12f", *[0.0] * 12))
    np.testing.assert_allclose(grid.origin_mm, (-10, -20, 30), atol=1e-5)
    assert notes == ["sform_without_matrix"]


def test_an_sform_of_zeros_alone_is_no_place(tmp_path):
    with pytest.raises(NiftiError) as caught:
        read(tmp_path, (SROW_X, "<12f", *[0.0] * 12), (QFORM_CODE, "<h", 0))
    assert caught.value.reason == "invalid_geometry"


def test_a_form_whose_code_is_0_is_not_looked_at(tmp_path):
    grid, notes = read(tmp_path, (SROW_X + 12, "<f", 99.0), (SFORM_CODE, "<h", 0))
    np.testing.assert_allclose(grid.origin_mm, (-10, -20, 30), atol=1e-5)
    assert notes == []


def test_no_form_is_no_place(tmp_path):
    with pytest.raises(NiftiError) as caught:
        read(tmp_path, (QFORM_CODE, "<hh", 0, 0))
    assert caught.value.reason == "missing_geometry"


def test_voxel_sizes_that_nothing_follows_are_said(tmp_path):
    grid, notes = read(tmp_path, (QFORM_CODE, "<h", 0), (PIXDIM, "<3f", 1.0, 1.0, 1.0))
    np.testing.assert_allclose(grid.spacing_mm, (4, 3, 2), rtol=1e-5)
    assert notes == ["voxel_sizes_differ"]


def test_voxel_sizes_below_0_turn_no_axis(tmp_path):
    grid, notes = read(tmp_path, (QFORM_CODE, "<h", 0), (PIXDIM, "<3f", -2.0, 3.0, 4.0))
    np.testing.assert_allclose(grid.origin_mm, (-10, -20, 30), atol=1e-5)
    np.testing.assert_allclose(grid.direction[:, 2], (-1, 0, 0), atol=1e-5)
    assert notes == []


def test_a_header_without_voxels_of_its_own_is_not_read_as_voxels(tmp_path):
    with pytest.raises(NiftiError) as caught:
        read(tmp_path, (108, "<f", 0.0))
    assert caught.value.reason == "unreadable_nifti"
