"""Packed voxels of NRRD and MetaImage are those that ITK reads; what the header says of how they lie decides."""

import gzip

import numpy as np
import pytest
import SimpleITK

from lesionflow.errors import InputError
from lesionflow.io.images import itk
from lesionflow.io.images.packing.packed_voxels import find_packed, read_packed

TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")
VALUES = np.arange(5 * 7 * 11).reshape(5, 7, 11)
NRRD = (
    "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 11 7 5\n"
    "space directions: (1,0,0) (0,1,0) (0,0,1)\nendian: {endian}\nencoding: gzip\nspace origin: (0,0,0)\n{more}\n"
)


@pytest.mark.parametrize("ending", itk.ENDINGS)
@pytest.mark.parametrize("is_vector", [False, True])
@pytest.mark.parametrize("kind", TYPES)
def test_voxels_are_those_that_were_written_in_every_type(tmp_path, ending, is_vector, kind):
    array = (np.stack([VALUES, VALUES + 9], axis=-1) if is_vector else VALUES).astype(kind)
    path = tmp_path / f"a{ending}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array, isVector=is_vector), str(path), useCompression=True)
    packed = find_packed(path, next((p for p in tmp_path.iterdir() if p != path), None))
    assert packed is not None
    assert read_packed(packed, array.shape, kind) is not None
    channels, _ = itk.read(path, "c-1")
    found = np.stack(channels, axis=-1) if is_vector else channels[0]
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


@pytest.mark.parametrize("endian", ["little", "big"])
def test_the_order_of_a_numbers_bytes_is_the_headers(tmp_path, endian):
    stored = VALUES.astype({"little": "<i2", "big": ">i2"}[endian]).tobytes()
    (tmp_path / "a.nrrd").write_bytes(NRRD.format(endian=endian, more="").encode() + gzip.compress(stored))
    (array,), _ = itk.read(tmp_path / "a.nrrd", "c-1")
    np.testing.assert_array_equal(array, VALUES)


def test_bytes_to_be_skipped_are_left_to_itk_and_their_checksum_is_compared_all_the_same(tmp_path):
    content = gzip.compress(b"1234" + VALUES.astype("<i2").tobytes(), mtime=0)
    head = NRRD.format(endian="little", more="byte skip: 4\n").encode()
    (tmp_path / "a.nrrd").write_bytes(head + content)
    assert read_packed(find_packed(tmp_path / "a.nrrd", None), (5, 7, 11), "int16") is None
    (array,), _ = itk.read(tmp_path / "a.nrrd", "c-1")
    np.testing.assert_array_equal(array, VALUES)
    (tmp_path / "a.nrrd").write_bytes(head + content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    with pytest.raises(InputError) as refusal:
        itk.read(tmp_path / "a.nrrd", "c-1")
    assert refusal.value.reason == "unreadable_image"


def test_what_is_not_packed_has_no_checksum(tmp_path):
    for ending in (".mha", ".nrrd"):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(VALUES), str(tmp_path / f"a{ending}"), useCompression=False)
        assert find_packed(tmp_path / f"a{ending}", None) is None
