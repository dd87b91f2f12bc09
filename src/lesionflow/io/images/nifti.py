"""NIfTI: the only nibabel. NIfTI stores (x, y, z) in RAS mm; we hold (slice, row, column) in LPS mm."""

import logging
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from isal import igzip
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError, ImageDataError
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry, SpacingMm
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import InputError, NiftiError
from lesionflow.io.files import replacing_file
from lesionflow.io.images.label_values import as_labels
from lesionflow.io.images.nifti_forms import RAS_TO_LPS, forms, geometry_of
from lesionflow.io.images.nifti_texts import add_comment
from lesionflow.io.images.packing.checksums import ISAL_FAULT, drain
from lesionflow.io.images.packing.crowded import require_few_extensions, require_few_members
from lesionflow.io.images.packing.leftover import require_few_left
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine
from lesionflow.machine.study_budget import reading_mask
from lesionflow.machine.volume_cost import require_volume

#: It tells of each header that it mends; what can't be mended is an error of ours.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)
#: ISA-L's level 1 packs as zlib's 1 does, six times faster (CT) to fifteen times (PET).
COMPRESSION_LEVEL = 1
#: zlib makes at most 1032 bytes of one: a smaller file can't hold what its header claims.
MAX_INFLATION = 1100
#: Nothing that a study needs stands between header and voxels.
MAX_OFFSET_BYTES = 16 << 20
#: A header's own length (NIfTI-1): what a single file says to lie before that would be read from the header.
MIN_OFFSET_BYTES = 348
#: Written into a picture's header, whose unit is the pixel.
PIXEL_UNIT = b"spacing unknown, unit is the pixel"
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
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        n_bad = int(np.count_nonzero(~np.isfinite(array)))
        raise NiftiError(
            f"Expected finite voxels in {name}, found {n_bad} NaN or infinite ones. Export the image again.",
            reason="non_finite_voxels",
        )
    return array, geometry


def read_mask(path: Path, *, name: str) -> Mask:
    """Read a NIfTI label file.

    Args:
        path: A `.nii` or `.nii.gz` file of whole numbers 0..255, in any storage type and scale.
        name: What to call it in messages.

    Returns:
        The mask.

    Raises:
        NiftiError: As `read_volume`, and `not_labels` when a voxel is no whole number 0..255.
    """
    with reading_mask():
        channels, geometry = read_arrays(path, name)
    labels = as_labels(channels[0], _step(path, channels[0])) if len(channels) == 1 else None
    if labels is None:
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


def write_mask(path: Path, mask: Mask, *, description: str = "", remark: str = "", comment: str = "") -> None:
    """Write a mask as NIfTI uint8. The same mask and texts give the same bytes.

    Args:
        path: A `.nii` or `.nii.gz` file.
        mask: What to write.
        description: Stands in the header's `descrip`, cut to what it holds; viewers show it.
        remark: Stands in the header's `aux_file`, likewise.
        comment: ASCII of any length, in an extension of the header.
    """
    _write(path, mask.labels, mask.geometry, description, remark, comment)


def read_arrays(path: Path, name: str) -> tuple[list[NDArray[Any]], Geometry]:
    """Read a NIfTI file of three axes, or of four whose last is the channel (as the Medical Segmentation Decathlon has), or ITK's five.

    Args:
        path: A `.nii` or `.nii.gz` file.
        name: What to call it in messages.

    Returns:
        One array (slice, row, column) a channel, scaled as the header says, and the grid.

    Raises:
        NiftiError: `unreadable_nifti`, `oversized_image`, `not_three_dimensional`, `missing_geometry`,
            `contradictory_geometry` or `invalid_geometry`.
    """
    with _named_faults(path, name):
        image = _opened(path)
        _require_size(image, path, name)
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused by name afterwards
            data = _read_voxels(image.dataobj, path)
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim == 5 and data.shape[3] == 1:  # ITK writes channels behind an axis of time (NIfTI-1, dim[5])
        data = data[:, :, :, 0]
    if data.ndim not in (3, 4) or data.dtype.kind not in "biuf":
        raise NiftiError(
            f"Expected a 3D NIfTI image of numbers for {name}, found shape {data.shape}, type {data.dtype}. Give one file a channel.",
            reason="not_three_dimensional",
        )
    with _named_faults(path, name):
        geometry = geometry_of(image, spacing_known=_is_spacing_known(image), name=name)
    channels = [data] if data.ndim == 3 else list(np.moveaxis(data, -1, 0))
    return [np.ascontiguousarray(channel.transpose(2, 1, 0)) for channel in channels], geometry


def read_forms(path: Path, *, name: str) -> tuple[Geometry, ...]:
    """Return every grid that a file's header gives its voxels: by sform, by qform, or both.

    Raises:
        NiftiError: `unreadable_nifti` or `invalid_geometry`.
    """
    with _named_faults(path, name):
        return tuple(forms(_opened(path), name=name).values())


@contextmanager
def _named_faults(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except READ_FAULTS as error:
        blame_machine(error)
        # A path may name the patient.
        found = str(error).replace(str(path), "it")
        raise NiftiError(
            f"Expected a readable NIfTI file for {name}, found {plain_words(error, found, length=200)}. Copy or export it again.",
            reason="unreadable_nifti",
        ) from error


def _opened(path: Path) -> Any:
    n_header_bytes = require_few_extensions(path)
    if path.suffix.lower() == ".gz":
        require_few_members(path, n_header_bytes)
    return nib.load(path)


def _is_spacing_known(image: Any) -> bool:
    described = "descrip" in image.header and bytes(image.header["descrip"].item())
    return not (described and described.startswith(PIXEL_UNIT))


def _read_voxels(proxy: Any, path: Path) -> NDArray[Any]:
    """Read a file's voxels; a packed file by ISA-L, which unpacks twice as fast as what nibabel takes, and to its checksum."""
    if path.suffix.lower() != ".gz":
        n_taken = int(getattr(proxy, "offset", 0)) + math.prod(proxy.shape) * proxy.dtype.itemsize
        require_few_left(path.stat().st_size - n_taken, proxy.shape, proxy.dtype.itemsize)
        return np.asanyarray(proxy)
    with igzip.open(path, "rb") as source:
        if type(proxy) is not ArrayProxy:
            require_few_members(path)
            drain(source, math.prod(proxy.shape) * proxy.dtype.itemsize + MAX_OFFSET_BYTES)
            return np.asanyarray(proxy)
        scaled = (proxy.shape, proxy.dtype, proxy.offset, proxy.slope, proxy.inter)
        voxels = np.asanyarray(ArrayProxy(source, scaled))
        require_few_left(drain(source), proxy.shape, proxy.dtype.itemsize)
    return voxels


def _require_size(image: Any, path: Path, name: str) -> None:
    file_bytes, itemsize = path.stat().st_size, image.get_data_dtype().itemsize
    # nibabel sets the header's own figure to 0.
    offset = int(getattr(image.dataobj, "offset", 0))
    if offset < MIN_OFFSET_BYTES:
        raise NiftiError(
            f"Expected voxels behind the header of {name}, found a header that has them at byte {offset}: one half of a pair "
            "`.hdr` and `.img` under another name? Convert the pair to one file.",
            reason="unreadable_nifti",
        )
    if offset > MAX_OFFSET_BYTES:
        raise NiftiError(
            f"Expected voxels behind the header of {name}, found {offset} bytes between them. Export it again.",
            reason="oversized_image",
        )
    shape = (*image.shape, 1, 1, 1)
    costs = {"itemsize": itemsize, "n_channels": math.prod(shape[3:]), "file_bytes": file_bytes}
    spacings: list[SpacingMm | None] = [*_spacings(image, name)]
    for spacing in spacings or [None]:
        require_volume(shape[2::-1], spacing, name=name, **costs)
    # Headers and small files apart, which zlib packs a little better.
    if float(np.prod(image.shape, dtype=float)) * itemsize > (file_bytes + 1000) * MAX_INFLATION:
        raise NiftiError(
            f"Expected a whole NIfTI file for {name}, found one too small for its {image.shape} voxels. Copy or export it again.",
            reason="unreadable_nifti",
        )


def _spacings(image: Any, name: str) -> list[SpacingMm]:
    """Return the distances of voxels by each form, once where they agree; none of pixels, or where the forms refuse themselves later."""
    if not _is_spacing_known(image):
        return []
    try:
        spacings = [grid.spacing_mm for grid in forms(image, name=name).values()]
    except NiftiError:
        return []
    return spacings[:1] if spacings and np.allclose(spacings[0], spacings[-1], rtol=1e-5, atol=0) else spacings


def _step(path: Path, read: NDArray[Any]) -> float:
    """Return what lies between two values that a file of scaled whole numbers can store; 0 of others."""
    image: Any = nib.load(path) if read.dtype.kind == "f" else None  # else nothing was scaled
    scaled = image is not None and np.dtype(image.get_data_dtype()).kind in "iu"
    return abs(float(getattr(image.dataobj, "slope", 1.0))) % 1.0 if scaled else 0.0


def _write(
    path: Path, array: NDArray[Any], geometry: Geometry, description: str = "", remark: str = "", comment: str = ""
) -> None:
    affine = RAS_TO_LPS @ geometry.affine[:, [2, 1, 0, 3]]
    image = nib.Nifti1Image(array.transpose(2, 1, 0), affine)
    image.header.set_xyzt_units("mm")
    texts = [PIXEL_UNIT.decode()] if not geometry.spacing_known else []
    texts += [description] if description else []
    for field, text in (("descrip", "; ".join(texts)), ("aux_file", remark)):
        image.header[field] = text.encode("ascii", "replace")[: image.header[field].dtype.itemsize]
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    if comment:
        add_comment(image, comment)
    with replacing_file(path) as partial:
        content = image.to_bytes()
        if path.suffix.lower() == ".gz":
            # Without name and time: the same content gives the same bytes.
            content = igzip.compress(content, COMPRESSION_LEVEL, mtime=0)
        partial.write_bytes(content)
