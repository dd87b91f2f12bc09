"""NIfTI: the only nibabel. NIfTI stores (x, y, z) in RAS mm; we hold (slice, row, column) in LPS mm."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import NiftiError
from lesionflow.io.storage import replacing_file

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: zlib level: 1 writes four times faster than 6 and the files are a tenth larger.
COMPRESSION_LEVEL = 1
#: Reading faults that nibabel and gzip are known to raise on broken files.
READ_FAULTS = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    zlib.error,
    ImageFileError,
    MemoryError,
)


def read_volume(path: Path, *, name: str) -> Volume:
    """Read one 3D NIfTI file as a volume of one channel.

    Args:
        path: A `.nii` or `.nii.gz` file.
        name: What to call it in messages: a case id, not a patient.

    Returns:
        Volume of shape (1, slice, row, column) where slice is NIfTI's third axis.

    Raises:
        NiftiError: `unreadable_nifti`, `not_three_dimensional`, `missing_geometry` or `non_finite_voxels`.
    """
    array, geometry = _read(path, name)
    if not np.isfinite(array).all():
        n_bad = int(np.count_nonzero(~np.isfinite(array)))
        raise NiftiError(
            f"Expected finite voxels in {name}, found {n_bad} NaN or infinite ones. Export the image again.",
            reason="non_finite_voxels",
        )
    return Volume(array[None].astype(np.float32), geometry)


def read_mask(path: Path, *, name: str) -> Mask:
    """Read a NIfTI label file.

    Args:
        path: A `.nii` or `.nii.gz` file of whole numbers 0..255, in any storage type.
        name: What to call it in messages.

    Returns:
        The mask.

    Raises:
        NiftiError: As `read_volume`, and `not_labels` when a voxel is no whole number 0..255.
    """
    array, geometry = _read(path, name)
    with np.errstate(invalid="ignore"):
        labels = array.astype(np.uint8)
    if not np.array_equal(labels, array):
        raise NiftiError(
            f"Expected whole labels 0..255 in the mask of {name}, found other values. Store labels, not probabilities.",
            reason="not_labels",
        )
    return Mask(labels, geometry)


def write_volume(path: Path, volume: Volume, channel: int = 0) -> None:
    """Write one channel as NIfTI: int16 when nothing is lost by it, float32 otherwise. The same volume gives the same bytes."""
    array = volume.array[channel]
    if np.abs(array).max(initial=0) < 32768 and np.array_equal(array, np.rint(array)):
        array = array.astype(np.int16)
    _write(path, array, volume.geometry)


def write_mask(path: Path, mask: Mask) -> None:
    """Write a mask as NIfTI uint8. The same mask gives the same bytes."""
    _write(path, mask.labels, mask.geometry)


def _read(path: Path, name: str) -> tuple[NDArray[Any], Geometry]:
    try:
        image: Any = nib.load(path)
        data = np.asanyarray(image.dataobj)
        affine = np.asarray(image.affine, dtype=float)
        known = _has_geometry(image)
    except READ_FAULTS as error:
        # A path may name the patient.
        found = str(error).replace(str(path), "it")
        raise NiftiError(
            f"Expected a readable NIfTI file for {name}, found {type(error).__name__}: {found:.200}. Copy or export it again.",
            reason="unreadable_nifti",
        ) from error
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim != 3 or data.dtype.kind not in "biuf":
        raise NiftiError(
            f"Expected a 3D NIfTI image of numbers for {name}, found shape {data.shape}, type {data.dtype}. Give one file a channel.",
            reason="not_three_dimensional",
        )
    if not known:
        raise NiftiError(
            f"Expected a sform or qform in the NIfTI header of {name}, found neither: where its voxels lie is unknown. "
            "Convert the image again with a tool that keeps the geometry.",
            reason="missing_geometry",
        )
    # (x, y, z) RAS -> (slice=z, row=y, column=x) LPS
    lps = (RAS_TO_LPS @ affine)[:, [2, 1, 0, 3]]
    shape = (int(data.shape[2]), int(data.shape[1]), int(data.shape[0]))
    return np.ascontiguousarray(data.transpose(2, 1, 0)), Geometry(shape, lps)


def _has_geometry(image: Any) -> bool:
    header = image.header
    if "sform_code" not in header:
        return False
    return bool(int(header["sform_code"]) or int(header["qform_code"]))


def _write(path: Path, array: NDArray[Any], geometry: Geometry) -> None:
    affine = RAS_TO_LPS @ geometry.affine[:, [2, 1, 0, 3]]
    image = nib.Nifti1Image(array.transpose(2, 1, 0), affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    with replacing_file(path) as partial:
        content = image.to_bytes()
        if path.suffix == ".gz":
            content = gzip.compress(content, compresslevel=COMPRESSION_LEVEL, mtime=0)
        partial.write_bytes(content)
