"""What names, members and extensions a small file may hold before a library reads them one by one."""

import gzip
import struct
import time
import zlib

import nibabel as nib
import numpy as np
import pytest

from lesionflow.errors import InputError
from lesionflow.io.images.nifti import read_volume
from lesionflow.io.images.packing.crowded import require_few_extensions, require_few_members

VOXELS = np.random.default_rng(0).integers(-100, 100, (9, 8, 7)).astype(np.int16)


def image(n_extensions=0):
    made = nib.Nifti1Image(VOXELS, np.eye(4))
    made.header.set_xyzt_units("mm")
    for _ in range(n_extensions):
        made.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x"))
    return made


def named(content, name, flags=0x08):
    packer = zlib.compressobj(9, 8, -15)
    packed = packer.compress(content) + packer.flush()
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(5) + b"\xff"
    return head + name + b"\0" + packed + struct.pack("<II", zlib.crc32(content), len(content))


@pytest.mark.parametrize(
    "make",
    [
        lambda content: named(content, b"A" * 1_000_000),
        lambda content: named(content, b"a.nii\0" + b"A" * 1_000_000, flags=0x18),
        lambda content: gzip.compress(b"") + named(content, b"A" * 1_000_000),
        lambda content: gzip.compress(b"", mtime=0) * 30_000 + gzip.compress(content),
        lambda content: (
            gzip.compress(content[:400]) + gzip.compress(b"", mtime=0) * 30_000 + gzip.compress(content[400:])
        ),
    ],
    ids=["name", "comment", "name of a later member", "members", "members in between"],
)
def test_packed_names_and_members_without_end_are_refused(tmp_path, make):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(make(image().to_bytes()))
    with pytest.raises(ValueError, match="packed"):
        require_few_members(path)
    with pytest.raises(InputError) as refusal:
        read_volume(path, name="c-1")
    assert refusal.value.reason == "unreadable_nifti"


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_header_extensions_without_end_are_refused(tmp_path, kind, ending):
    path = tmp_path / f"a{ending}"
    nib.save(kind.from_image(image(1001)), path)
    with pytest.raises(ValueError, match="extensions"):
        require_few_extensions(path)
    with pytest.raises(InputError) as refusal:
        read_volume(path, name="c-1")
    assert refusal.value.reason == "unreadable_nifti"


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_what_programs_write_is_read(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    nib.save(image(20), path)
    require_few_extensions(path)
    np.testing.assert_array_equal(read_volume(path, name="c-1").array[0], VOXELS.transpose(2, 1, 0))


def test_blocks_and_names_as_programs_pack_them_are_read(tmp_path):
    content, path = image().to_bytes(), tmp_path / "a.nii.gz"
    blocks = [gzip.compress(content[at : at + 8]) for at in range(0, len(content), 8)]
    path.write_bytes(named(b"", b"case.nii") + b"".join(blocks))
    np.testing.assert_array_equal(read_volume(path, name="c-1").array[0], VOXELS.transpose(2, 1, 0))


def test_of_a_large_file_only_what_holds_the_header_is_looked_at(tmp_path):
    """Members behind it are ISA-L's alone, which takes them in no time: nibabel, by Python's gzip, never comes so far."""
    big = np.random.default_rng(1).integers(-1000, 1000, (200, 200, 60)).astype(np.int16)
    made = nib.Nifti1Image(big, np.eye(4))
    made.header.set_xyzt_units("mm")
    content, path = made.to_bytes(), tmp_path / "a.nii.gz"
    path.write_bytes(
        gzip.compress(content[:2_000_000], 1)
        + gzip.compress(b"", mtime=0) * 30_000
        + gzip.compress(content[2_000_000:], 1)
    )
    n_looked = require_few_extensions(path)
    assert n_looked < 1_500_000 < path.stat().st_size
    require_few_members(path, n_looked)
    with pytest.raises(ValueError, match="packed"):
        require_few_members(path)
    began = time.process_time()
    np.testing.assert_array_equal(read_volume(path, name="c-1").array[0], big.transpose(2, 1, 0))
    assert time.process_time() - began < 2.0
