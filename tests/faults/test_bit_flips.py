"""One bit flipped in packed bytes, again and again: refused by name, or read as it was; never another mask.

A hundred flips a format; with `LESIONFLOW_TEST_WHOLE=1`, a thousand.
"""

import gzip
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from lesionflow.errors import ArtifactError, InputError
from lesionflow.io import archives
from lesionflow.io.images import image_files
from lesionflow.io.stores.preprocessed import open_case, write_case
from support.dicom_factory import write_series

N_FLIPS = 1000 if os.environ.get("LESIONFLOW_TEST_WHOLE") == "1" else 100
#: Two structures and noise, so that every part of the packed stream matters.
MASK = np.zeros((6, 20, 30), np.uint8)
MASK[2:5, 5:15, 10:20] = 1
MASK[np.random.default_rng(0).random(MASK.shape) < 0.05] = 2


def nifti(path: Path) -> tuple[int, int]:
    nibabel.save(nibabel.Nifti1Image(MASK.T, np.diag([-1.0, -1.0, 1.0, 1.0])), path)
    return 0, path.stat().st_size


def two_members(path: Path) -> tuple[int, int]:
    """Packed in two gzip members, as parallel packers write them."""
    nifti(path)
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[:1000], mtime=0) + gzip.compress(content[1000:], mtime=0))
    return 0, path.stat().st_size


def itk(path: Path) -> tuple[int, int]:
    """The header is text, without a checksum; what follows it is packed."""
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(MASK), str(path), useCompression=True)
    content = path.read_bytes()
    end = b"LOCAL\n" if path.suffix == ".mha" else b"\n\n"
    return content.index(end) + len(end), len(content)


def png(path: Path) -> tuple[int, int]:
    Image.fromarray(np.kron(MASK[3], np.ones((3, 3), np.uint8))).save(path)
    return 0, path.stat().st_size


def deflated_tiff(path: Path) -> tuple[int, int]:
    """Tags have no checksum; strips have."""
    Image.fromarray(np.kron(MASK[3], np.ones((3, 3), np.uint8))).save(path, compression="tiff_adobe_deflate")
    with Image.open(path) as image:
        (offset,), (length,) = image.tag_v2[273], image.tag_v2[279]
    return offset, offset + length


def read_mask(path: Path) -> bytes:
    mask = image_files.read_mask(path, (1, 2), name="c-1")
    return mask.labels.tobytes() + mask.geometry.affine.tobytes()


def zipped(path: Path) -> tuple[int, int]:
    series = write_series(path.parent / "made")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in series.paths:
            archive.write(file, file.name)
    return 0, path.stat().st_size


def read_zip(path: Path) -> bytes:
    folder = path.parent / "unpacked"
    folder.mkdir(exist_ok=True)
    try:
        files = archives.unpack(path, folder, max_bytes=1 << 24, max_files=100)
        return b"".join(file.read_bytes() for file in sorted(files))
    finally:
        for file in folder.rglob("*"):
            if file.is_file():
                file.unlink()


def preprocessed(path: Path) -> tuple[int, int]:
    write_case(path, MASK[None].astype(np.float32), MASK, {1: np.argwhere(MASK == 1).astype(np.int32)[:5]})
    return 0, path.stat().st_size


def read_preprocessed(path: Path) -> bytes:
    stored = open_case(path)
    return stored.image[:].tobytes() + stored.mask[:].tobytes() + stored.foreground[1].tobytes()


FORMATS: dict[str, tuple[str, Callable[[Path], tuple[int, int]], Callable[[Path], bytes]]] = {
    "nifti": ("a.nii.gz", nifti, read_mask),
    "nifti in capitals": ("A.NII.GZ", nifti, read_mask),
    "nifti of two members": ("a.nii.gz", two_members, read_mask),
    "metaimage": ("a.mha", itk, read_mask),
    "nrrd": ("a.nrrd", itk, read_mask),
    "png": ("a.png", png, read_mask),
    "tiff": ("a.tif", deflated_tiff, read_mask),
    "zip": ("a.zip", zipped, read_zip),
    "preprocessed": ("a.lfc", preprocessed, read_preprocessed),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_no_flipped_bit_gives_another_mask(kind, tmp_path):
    name, write, read = FORMATS[kind]
    path = tmp_path / name
    first, last = write(path)
    content, right = path.read_bytes(), read(path)
    chosen = random.Random(11)
    n_refused = 0
    for _ in range(N_FLIPS):
        at = chosen.randrange(8 * first, 8 * last)
        harmed = bytearray(content)
        harmed[at // 8] ^= 1 << at % 8
        path.write_bytes(harmed)
        try:
            assert read(path) == right, f"bit {at}"
        except (InputError, ArtifactError):
            n_refused += 1
    # What is left names a time, a maker or a platform.
    assert n_refused > 0.5 * N_FLIPS


@pytest.mark.parametrize("kind", ["nifti", "metaimage", "nrrd", "png", "tiff", "zip", "preprocessed"])
def test_what_is_cut_off_anywhere_is_refused(kind, tmp_path):
    name, write, read = FORMATS[kind]
    path = tmp_path / name
    first, last = write(path)
    content = path.read_bytes()[:last]
    for n_lost in (1, 4, 9, (last - first) // 2):
        path.write_bytes(content[: last - n_lost])
        with pytest.raises((InputError, ArtifactError)):
            read(path)


def test_zeros_behind_a_gzip_member_are_a_tapes_and_other_bytes_are_none(tmp_path):
    path = tmp_path / "a.nii.gz"
    nifti(path)
    content, right = path.read_bytes(), read_mask(path)
    path.write_bytes(content + bytes(512))
    assert read_mask(path) == right
    path.write_bytes(content + b"and more than that")
    with pytest.raises(InputError) as refusal:
        read_mask(path)
    assert refusal.value.reason == "unreadable_nifti"
