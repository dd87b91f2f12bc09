"""NIfTI: the only nibabel. NIfTI stores (x, y, z) in RAS mm; we hold (slice, row, column) in LPS mm."""

import logging
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from isal import igzip, igzip_lib
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError, ImageDataError
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import NiftiError
from lesionflow.io.files import replacing_file

#: It tells of each header that it mends; what can't be mended is an error of ours.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: ISA-L's level 1 packs as zlib's 1 does, six times faster (CT) to fifteen times (PET).
COMPRESSION_LEVEL = 1
#: As much as a volume may hold: 512 x 512 x 2048. A file of some kB may claim far more.
MAX_VOXELS = 1 << 29
#: zlib makes at most 1032 bytes of one: a smaller file can't hold what its header claims.
MAX_INFLATION = 1100
#: An image does not shrink to so small a share; a mask may, but not from so many bytes.
EMPTY_INFLATION, MAX_EMPTY_BYTES = 200, 1 << 30
#: Nothing that a study needs stands between header and voxels.
MAX_OFFSET_BYTES = 16 << 20
#: Written into a picture's header, whose unit is the pixel.
PIXEL_UNIT = b"spacing unknown, unit is the pixel"
#: A class, which isal's type stubs call an instance.
ISAL_FAULT: Any = igzip_lib.IsalError
#: Reading faults that nibabel and gzip are known to raise on broken files.
READ_FAULTS = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    zlib.error,
    ISAL_FAULT,
    HeaderDataError,
    ImageDataError,
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
    array, geometry = read_channel(path, name=name)
    return Volume(array[None].astype(np.float32), geometry)


def read_channel(path: Path, *, name: str) -> tuple[NDArray[Any], Geometry]:
    """Read the voxels (slice, row, column) of one 3D NIfTI file as they are stored, to be put beside others; as `read_volume`."""
    channels, geometry = read_arrays(path, name)
    if len(channels) != 1:
        raise NiftiError(
            f"Expected a 3D NIfTI image for {name}, found {len(channels)} volumes in it. Give one file a channel.",
            reason="not_three_dimensional",
        )
    array = channels[0]
    if not np.isfinite(array).all():
        n_bad = int(np.count_nonzero(~np.isfinite(array)))
        raise NiftiError(
            f"Expected finite voxels in {name}, found {n_bad} NaN or infinite ones. Export the image again.",
            reason="non_finite_voxels",
        )
    return array, geometry


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
    channels, geometry = read_arrays(path, name)
    array = channels[0]
    with np.errstate(invalid="ignore"):
        labels = array.astype(np.uint8)
    if len(channels) != 1 or not np.array_equal(labels, array):
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


def write_mask(path: Path, mask: Mask, *, description: str = "", remark: str = "") -> None:
    """Write a mask as NIfTI uint8. The same mask and texts give the same bytes.

    Args:
        path: A `.nii` or `.nii.gz` file.
        mask: What to write.
        description: Stands in the header's `descrip`, cut to what it holds; viewers show it.
        remark: Stands in the header's `aux_file`, likewise.
    """
    _write(path, mask.labels, mask.geometry, description, remark)


def read_description(path: Path) -> str:
    """Return the text in a NIfTI header's `descrip`; empty where the file is none."""
    try:
        return str(nib.load(path).header["descrip"].item().decode("ascii", "replace")).rstrip("\0")
    except READ_FAULTS:
        return ""


def read_arrays(path: Path, name: str) -> tuple[list[NDArray[Any]], Geometry]:
    """Read a NIfTI file of three axes, or of four whose last is the channel (as the Medical Segmentation Decathlon has).

    Args:
        path: A `.nii` or `.nii.gz` file.
        name: What to call it in messages.

    Returns:
        One array (slice, row, column) a channel, scaled as the header says, and the grid.

    Raises:
        NiftiError: `unreadable_nifti`, `oversized_image`, `not_three_dimensional` or `missing_geometry`.
    """
    try:
        image: Any = nib.load(path)
        _require_size(image, path, name)
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused by name afterwards
            data = _read_voxels(image.dataobj, path)
        affine = np.diag([*3 * [_mm(image)], 1.0]) @ np.asarray(image.affine, dtype=float)
        known = _has_geometry(image)
        in_pixels = "descrip" in image.header and bytes(image.header["descrip"].item()).startswith(PIXEL_UNIT)
    except NiftiError:
        raise
    except READ_FAULTS as error:
        # A path may name the patient.
        found = str(error).replace(str(path), "it")
        raise NiftiError(
            f"Expected a readable NIfTI file for {name}, found {type(error).__name__}: {found:.200}. Copy or export it again.",
            reason="unreadable_nifti",
        ) from error
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim not in (3, 4) or data.dtype.kind not in "biuf":
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
    geometry = Geometry((int(data.shape[2]), int(data.shape[1]), int(data.shape[0])), lps, not in_pixels)
    channels = [data] if data.ndim == 3 else list(np.moveaxis(data, -1, 0))
    return [np.ascontiguousarray(channel.transpose(2, 1, 0)) for channel in channels], geometry


def _read_voxels(proxy: Any, path: Path) -> NDArray[Any]:
    """Read a file's voxels; a packed file by ISA-L, which unpacks twice as fast as what nibabel takes."""
    if path.suffix != ".gz" or type(proxy) is not ArrayProxy:
        return np.asanyarray(proxy)
    scaled = (proxy.shape, proxy.dtype, proxy.offset, proxy.slope, proxy.inter)
    with igzip.open(path, "rb") as source:
        return np.asanyarray(ArrayProxy(source, scaled))


def _require_size(image: Any, path: Path, name: str) -> None:
    n_voxels = float(np.prod(image.shape, dtype=float))
    n_bytes = n_voxels * image.get_data_dtype().itemsize
    # nibabel sets the header's own figure to 0.
    offset = int(getattr(image.dataobj, "offset", 0))
    hollow = n_bytes > max(MAX_EMPTY_BYTES, path.stat().st_size * EMPTY_INFLATION)
    if n_voxels > MAX_VOXELS or offset > MAX_OFFSET_BYTES or hollow:
        raise NiftiError(
            f"Expected at most {MAX_VOXELS} voxels in {name}, found a header that claims {image.shape}. Crop or export it again.",
            reason="oversized_image",
        )
    # Headers and small files apart, which zlib packs a little better.
    if n_bytes > (path.stat().st_size + 1000) * MAX_INFLATION:
        raise NiftiError(
            f"Expected a whole NIfTI file for {name}, found one too small for its {image.shape} voxels. Copy or export it again.",
            reason="unreadable_nifti",
        )


def _mm(image: Any) -> float:
    """Return what a unit of the header is in mm; most files leave it unknown and mean mm (NIfTI-1, xyzt_units)."""
    unit = image.header.get_xyzt_units()[0] if "xyzt_units" in image.header else "unknown"
    return {"meter": 1000.0, "micron": 0.001}.get(unit, 1.0)


def _has_geometry(image: Any) -> bool:
    header = image.header
    if "sform_code" not in header:
        return False
    return bool(int(header["sform_code"]) or int(header["qform_code"]))


def _write(path: Path, array: NDArray[Any], geometry: Geometry, description: str = "", remark: str = "") -> None:
    affine = RAS_TO_LPS @ geometry.affine[:, [2, 1, 0, 3]]
    image = nib.Nifti1Image(array.transpose(2, 1, 0), affine)
    image.header.set_xyzt_units("mm")
    texts = [PIXEL_UNIT.decode()] if not geometry.spacing_known else []
    texts += [description] if description else []
    for field, text in (("descrip", "; ".join(texts)), ("aux_file", remark)):
        image.header[field] = text.encode("ascii", "replace")[: image.header[field].dtype.itemsize]
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    with replacing_file(path) as partial:
        content = image.to_bytes()
        if path.suffix.lower() == ".gz":
            # Without name and time: the same content gives the same bytes.
            content = igzip.compress(content, COMPRESSION_LEVEL, mtime=0)
        partial.write_bytes(content)
