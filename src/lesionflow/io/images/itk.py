"""NRRD and MetaImage. ITK holds (x, y, z) in LPS mm; we hold (slice, row, column).

Plain forms are read here; SimpleITK, the only of reading, is asked for what is of another form, and imported for it alone: the image that only
serves goes without its 270 MB.
"""

import os
import re
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.errors import InputError
from lesionflow.io.images.itk_headers import HEADER_BYTES, require_plain_header, require_told_spacing
from lesionflow.io.images.packing.checksums import ISAL_FAULT
from lesionflow.io.images.packing.leftover import require_few_left_in_itk
from lesionflow.io.images.packing.packed_voxels import NRRD_ENDINGS, find_packed, read_packed, voxels_begin
from lesionflow.io.images.plain_headers import PlainHeader, read_plain_header, read_texts
from lesionflow.machine.faults import blame_machine
from lesionflow.machine.volume_cost import require_volume

ENDINGS = (".nrrd", ".nhdr", ".mha", ".mhd")
#: zlib makes at most 1032 bytes of one.
MAX_INFLATION = 1100
#: Types of a voxel's numbers, as ITK tells them of one or several a voxel.
ITK_TYPES = {
    f"{kind}{bits}-bit {words}": np.dtype(f"{name}{bits}")
    for kind in ("", "vector of ")
    for words, name, sizes in (
        ("unsigned integer", "uint", (8, 16, 32, 64)),
        ("signed integer", "int", (8, 16, 32, 64)),
        ("float", "float", (32, 64)),
    )
    for bits in sizes
}
#: Of complex numbers and the like: one byte that is no number.
NO_NUMBER = np.dtype("V1")
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
        told = read_plain_header(path) or _ask_itk(path, name)
        size, itemsize = told.size, told.dtype.itemsize
        file_bytes = sum(p.stat().st_size for p in files)
        if float(np.prod(size, dtype=float)) * told.n_components > file_bytes * MAX_INFLATION:
            _refuse(
                "oversized_image", f"Expected all voxels in the file of {name}, found {size} claimed. Export it again."
            )
        if len(size) != 3:
            _refuse("not_three_dimensional", f"Expected a 3D image for {name}, found {len(size)} axes.")
        # A spacing below 0 turns its axis.
        steps = [abs(step) for step in told.spacing_mm]
        require_told_spacing(path, steps, name=name)
        require_volume(
            size[::-1],
            (steps[2], steps[1], steps[0]),
            name=name,
            itemsize=itemsize,
            n_channels=told.n_components,
            file_bytes=file_bytes,
        )
        data = files[1] if files[1:] else None
        require_few_left_in_itk(path, data, size, itemsize * told.n_components)
        array = _read_voxels(told, path, data, name)
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
    affine[:3, :3] = (np.array(told.direction) * np.array(told.spacing_mm))[:, ::-1]
    affine[:3, 3] = told.origin_mm
    channels = [array] if array.ndim == 3 else list(np.moveaxis(array, -1, 0))
    return channels, Geometry((channels[0].shape[0], channels[0].shape[1], channels[0].shape[2]), affine)


def read_fields(path: Path, name: str) -> dict[str, str]:
    """Read what a header says beside the geometry, by key.

    Raises:
        InputError: `unreadable_image`.
    """
    try:
        texts = read_texts(path) if path.suffix.lower() in NRRD_ENDINGS else None
        if texts is not None:
            return texts
        reader = _reader(path, name)
        return {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
    except (RuntimeError, UnicodeDecodeError) as error:
        message = f"Expected a readable image for {name}, found a header that can't be read. Export it again."
        raise InputError(message, reason="unreadable_image") from error


def _reader(path: Path, name: str) -> Any:
    """Return ITK's reader of a file, which has read the header."""
    try:
        import SimpleITK
    except ModuleNotFoundError:
        _refuse(
            "unreadable_image",
            f"Expected NRRD or MetaImage in a form that is read without SimpleITK in {name} (raw or gzip, three axes, nothing skipped), found "
            "another, and no SimpleITK here. Save it again by 3D Slicer or ITK-SNAP, or install SimpleITK.",
        )
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader


def _ask_itk(path: Path, name: str) -> PlainHeader:
    """Return what ITK says of a header that is of no plain form."""
    reader = _reader(path, name)
    import SimpleITK

    dtype = ITK_TYPES.get(SimpleITK.GetPixelIDValueAsString(reader.GetPixelID()), NO_NUMBER)
    n_axes = reader.GetDimension()
    direction = tuple(map(tuple, np.array(reader.GetDirection()).reshape(n_axes, n_axes)))
    n_components = reader.GetNumberOfComponents()
    return PlainHeader(reader.GetSize(), reader.GetSpacing(), direction, reader.GetOrigin(), dtype, n_components)


def _read_voxels(told: PlainHeader, path: Path, data: Path | None, name: str) -> NDArray[Any]:
    """Read voxels (slice, row, column, and number of a voxel where there are several), packed ones to their checksum."""
    is_number = told.dtype != NO_NUMBER
    dtype = told.dtype.newbyteorder("=") if is_number else np.dtype(np.uint8)
    shape = (*reversed(told.size), *([told.n_components] if told.n_components > 1 else []))
    packed, start = find_packed(path, data), voxels_begin(path, data)
    voxels = read_packed(packed, shape, dtype) if packed is not None else None
    if packed is None and start is not None and read_plain_header(path) is not None:
        voxels = np.fromfile(data or path, told.dtype, offset=start, count=prod(shape))
        if voxels.size < prod(shape):
            message = f"{voxels.nbytes} bytes of voxels where {prod(shape) * dtype.itemsize} are declared"
            raise ValueError(message)
        voxels = voxels.reshape(shape).astype(dtype, copy=False)
    if voxels is not None and is_number:
        return voxels
    import SimpleITK

    return np.asarray(SimpleITK.GetArrayFromImage(_reader(path, name).Execute()))


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
