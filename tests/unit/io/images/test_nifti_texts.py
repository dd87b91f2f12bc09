"""Texts beside voxels, as nibabel sees them."""

import nibabel
import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.io.images.nifti import read_mask, write_mask
from lesionflow.io.images.nifti_texts import read_comments, read_description

TEXT = '{"a":' + "1" * 1001 + "}"


@pytest.fixture(params=["m.nii.gz", "m.nii"])
def path(request, tmp_path):
    mask = Mask(np.arange(24).reshape(2, 3, 4), Geometry.from_parts((2, 3, 4), (3.0, 0.8, 0.5)))
    write_mask(tmp_path / request.param, mask, description="who", comment=TEXT)
    return tmp_path / request.param


def test_a_comment_is_an_extension_of_code_6_and_voxels_stay_where_they_are(path):
    image = nibabel.load(path)
    (extension,) = image.header.extensions
    assert extension.get_code() == 6
    assert extension.get_content().rstrip(b"\0") == TEXT.encode()
    assert np.asarray(image.dataobj).T.ravel().tolist() == list(range(24))
    assert read_comments(path) == (TEXT,)
    assert read_description(path) == "who"
    assert read_mask(path, name="m").labels.ravel().tolist() == list(range(24))


def test_a_program_that_drops_extensions_drops_the_comment(path, tmp_path):
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine), tmp_path / "again.nii.gz")
    assert read_comments(tmp_path / "again.nii.gz") == ()


def test_one_that_keeps_them_keeps_it(path, tmp_path):
    nibabel.save(nibabel.load(path), tmp_path / "again.nii.gz")
    assert read_comments(tmp_path / "again.nii.gz") == (TEXT,)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b broken", b"text"])
def test_what_is_no_nifti_has_none(tmp_path, content):
    (tmp_path / "a.nii.gz").write_bytes(content)
    assert read_comments(tmp_path / "a.nii.gz") == ()
    assert read_description(tmp_path / "a.nii.gz") == ""
