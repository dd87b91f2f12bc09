from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from lesionflow.io.images.packing.leftover import require_few_left, require_few_left_in_itk

VOXELS = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


@pytest.mark.parametrize("n_left", [-1, 0, 59])
def test_less_than_a_slice_is_padding(n_left):
    require_few_left(n_left, (6, 5, 4), 2)


def test_a_slice_is_none():
    with pytest.raises(ValueError, match="60 bytes behind the voxels"):
        require_few_left(60, (6, 5, 4), 2)


@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr", "a.mha", "a.mhd"])
def test_plain_files_are_measured_where_their_voxels_lie(tmp_path, name):
    path = tmp_path / name
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(VOXELS), path, useCompression=False)
    data = next((p for p in sorted(tmp_path.iterdir()) if p != path), None)
    require_few_left_in_itk(path, data, (6, 5, 4), 2)
    with pytest.raises(ValueError, match="120 bytes"):
        require_few_left_in_itk(path, data, (6, 5, 4), 1)


def test_packed_files_have_no_length_to_measure(tmp_path):
    path: Path = tmp_path / "a.nrrd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(VOXELS), path, useCompression=True)
    require_few_left_in_itk(path, None, (6, 5, 1), 1)
