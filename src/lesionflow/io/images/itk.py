"""NRRD and MetaImage: the only SimpleITK of reading. ITK holds (x, y, z) in LPS mm; we hold (slice, row, column)."""

import os
import re
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.errors import InputError
from lesionflow.io.images.itk_headers import HEADER_BYTES, require_plain_header, require_told_spacing
from lesionflow.io.images.packing.checksums import ISAL_FAULT
from lesionflow.io.images.packing.leftover import require_few_left_in_itk
from lesionflow.io.images.packing.packed_voxels import find_packed, read_packed
from lesionflow.machine.faults import blame_machine
from lesionflow.machine.volume_cost import require_volume

ENDINGS = (".nrrd", ".nhdr", ".mha", ".mhd")
#: zlib makes at most 1032 bytes of one.
MAX_INFLATION = 1100
#: Types of a voxel's numbers, of one and of several a voxel.
DTYPES = {
    getattr(SimpleITK, f"sitk{kind}{name}"): np.dtype(name.lower())
    for kind in ("", "Vector")
    for name in ("UInt8", "Int8", "UInt16", "Int16", "UInt32", "Int32", "UInt64", "Int64", "Float32", "Float64")
}
#: Where a header names a file of its own for the voxels.
DATA_FILE = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)\s*(.*?)\s*$", re.MULTILINE | re.IGNORECASE)
#: What says where voxels lie, by the kind of file.
NRRD_WORDS = ((b"space:", b"space dimension:"), (b"space directions:",), (b"space origin:",))
GEOMETRY_WORDS = {
    ".nrrd": NRRD_WORDS,
    ".nhdr": NRRD_WORDS,
    ".mha": ((b"Offset", b"Position", b"Origin"), (b"ElementSpacing", b"ElementSize")),
    ".mhd": ((b"Offset", b"Position", b"Origin"), (b"ElementSpacing", b"ElementSize")),
}


def read(path: Path, name: str) -> tuple[list[NDArray[Any]], Geometry]:
    """Read a volume of one or several channels.

    Args:
        path: A file of `ENDINGS`.
        name: What to call it in messages.

    Returns:
        One array (slice, row, column) a channel as stored, and the grid.

    Raises:
        InputError: `unreadable_image`, `missing_geometry`, `oversized_image`, `not_three_dimensional`, `unsafe_path`,
            `missing_file`, `unsupported_unit`, `unsupported_scaling`.
    """
    files = [path, *data_files(path, name=name)]
    _require_geometry(path, name)
    require_plain_header(path, name=name)
    try:
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        size = reader.GetSize()
        n_voxels = float(np.prod(size, dtype=float)) * reader.GetNumberOfComponents()
        file_bytes = sum(p.stat().st_size for p in files)
        if n_voxels > file_bytes * MAX_INFLATION:
            _refuse(
                "oversized_image", f"Expected all voxels in the file of {name}, found {size} claimed. Export it again."
            )
        if len(size) != 3:
            _refuse("not_three_dimensional", f"Expected a 3D image for {name}, found {len(size)} axes.")
        # A spacing below 0 turns its axis.
        steps = [abs(step) for step in reader.GetSpacing()]
        require_told_spacing(path, steps, name=name)
        require_volume(
            size[::-1],
            (abs(steps[2]), abs(steps[1]), abs(steps[0])),
            name=name,
            itemsize=DTYPES.get(reader.GetPixelID(), np.dtype(np.uint8)).itemsize,
            n_channels=reader.GetNumberOfComponents(),
            file_bytes=file_bytes,
        )
        itemsize = DTYPES.get(reader.GetPixelID(), np.dtype(np.uint8)).itemsize * reader.GetNumberOfComponents()
        require_few_left_in_itk(path, files[1] if files[1:] else None, size, itemsize)
        array = _read_voxels(reader, path, files[1] if files[1:] else None)
    except (RuntimeError, ValueError, OverflowError, ISAL_FAULT) as error:
        blame_machine(error)
        if isinstance(error, InputError):
            raise
        # ITK's messages begin with its own place in its code and name the file.
        found = str(error).rsplit("):", 1)[-1].replace(str(path), "it").strip()
        _refuse("unreadable_image", f"Expected a readable image for {name}, found: {found:.150}. Export it again.")
    if array.dtype.kind not in "biuf":
        _refuse("not_three_dimensional", f"Expected real numbers in {name}, found {array.dtype}.")
    # (x, y, z) -> (slice=z, row=y, column=x), both LPS
    affine = np.eye(4)
    direction = np.array(reader.GetDirection()).reshape(3, 3)
    affine[:3, :3] = (direction * np.array(reader.GetSpacing()))[:, ::-1]
    affine[:3, 3] = reader.GetOrigin()
    channels = [array] if array.ndim == 3 else list(np.moveaxis(array, -1, 0))
    return channels, Geometry((channels[0].shape[0], channels[0].shape[1], channels[0].shape[2]), affine)


def read_fields(path: Path, name: str) -> dict[str, str]:
    """Read what a header says beside the geometry, by key.

    Raises:
        InputError: `unreadable_image`.
    """
    try:
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        return {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
    except (RuntimeError, UnicodeDecodeError) as error:
        message = f"Expected a readable image for {name}, found a header that can't be read. Export it again."
        raise InputError(message, reason="unreadable_image") from error


def _read_voxels(reader: Any, path: Path, data: Path | None) -> NDArray[Any]:
    """Read voxels (slice, row, column, and number of a voxel where there are several), packed ones to their checksum."""
    packed = find_packed(path, data)
    dtype = DTYPES.get(reader.GetPixelID())
    if packed is not None:
        n_components = reader.GetNumberOfComponents()
        shape = (*reversed(reader.GetSize()), *([n_components] if n_components > 1 else []))
        voxels = read_packed(packed, shape, dtype or np.uint8)
        if voxels is not None and dtype is not None:
            return voxels
    return np.asarray(SimpleITK.GetArrayFromImage(reader.Execute()))


def data_files(path: Path, *, name: str) -> list[Path]:
    """Return the file beside a header that holds its voxels; nothing when the header's own file does.

    Raises:
        InputError: `unsafe_path` when the header names a file elsewhere, or several; `missing_file`.
    """
    with path.open("rb") as source:
        named = DATA_FILE.search(source.read(HEADER_BYTES))
    if named is None or named[1].upper() == b"LOCAL":
        return []
    data = path.with_name(Path(os.fsdecode(named[1])).name)
    if (
        os.fsdecode(named[1]).removeprefix("./") != data.name
        or data.name.upper().startswith("LIST")
        or b"%" in named[1]
    ):
        _refuse("unsafe_path", f"Expected one file beside the header of {name} for its voxels, found another place.")
    if not data.is_file():
        _refuse("missing_file", f"Expected the file of voxels beside the header of {name}, found none. Add it.")
    return [data]


def _require_geometry(path: Path, name: str) -> None:
    with path.open("rb") as source:
        head = source.read(HEADER_BYTES)
    for words in GEOMETRY_WORDS[path.suffix.lower()]:
        if not any(word in head for word in words):
            _refuse(
                "missing_geometry",
                f"Expected {words[0].decode().rstrip(':')} in the header of {name}, found none: where its voxels lie is "
                "unknown. Convert the image again with a tool that keeps the geometry.",
            )


def _refuse(reason: str, message: str) -> NoReturn:
    raise InputError(message, reason=reason)
