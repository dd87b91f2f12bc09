"""The packed voxels of NRRD (gzip) and MetaImage (zlib), inflated to their checksum.

ITK 5.4 does not compare them: of 400 flipped bits it took 388 in a MetaImage and 132 in a NRRD for voxels. What it makes of a header
it is asked for; voxels come from here, and twice as fast.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.io.images.packing.checksums import inflate

#: A header is shorter than this.
HEADER_BYTES = 1 << 16
NRRD_END = re.compile(rb"\r?\n\r?\n")
#: The last line of a MetaImage's header.
META_END = re.compile(rb"^ElementDataFile\s*=[^\n]*\n?", re.MULTILINE)
NRRD_ENDINGS = (".nrrd", ".nhdr")
#: Keys that move where voxels begin; what they mean ITK alone is asked.
MOVED = ("line skip", "lineskip", "byte skip", "byteskip", "headersize")


class Packed(NamedTuple):
    """Where packed voxels lie, and how they are to be taken.

    Args:
        path: The file that holds them.
        offset: Where they begin in it.
        length: How many bytes; None: up to the end.
        big_endian: The order of a number's bytes.
        is_plain: Whether nothing else is said of how they lie; else ITK must read them.
        axes: Sizes of all axes, the fastest first, as far as the header says them in one line.
    """

    path: Path
    offset: int
    length: int | None
    big_endian: bool
    is_plain: bool
    axes: tuple[int, ...]


def find_packed(path: Path, data: Path | None) -> Packed | None:
    """Return where the packed voxels of a file lie; None when it is not packed, and so has no checksum.

    Args:
        path: A NRRD or MetaImage.
        data: The file beside it that holds its voxels, if it is not the file itself.
    """
    header, end = _header(path)
    offset = 0 if data else end
    file = data or path
    is_plain = not any(header.get(key, "0") not in ("", "0") for key in MOVED)
    if header.get("encoding", "").lower() in ("gz", "gzip"):
        big_endian = header.get("endian", "little").lower() == "big"
        return Packed(file, offset, None, big_endian, is_plain, _whole(header.get("sizes", "")))
    if _is_true(header.get("compresseddata", "")):
        big_endian = _is_true(header.get("binarydatabyteordermsb", header.get("elementbyteordermsb", "")))
        length = int(float(header.get("compresseddatasize", "") or 0)) or None
        return Packed(file, offset, length, big_endian, is_plain, ())
    return None


def voxels_begin(path: Path, data: Path | None) -> int | None:
    """Return where plain voxels begin in their file; None when they are packed, written as text, or moved by the header.

    Args:
        path: A NRRD or MetaImage.
        data: The file beside it that holds its voxels, if it is not the file itself.
    """
    header, end = _header(path)
    is_moved = any(header.get(key, "0") not in ("", "0") for key in MOVED)
    is_nrrd = path.suffix.lower() in NRRD_ENDINGS
    is_plain = (
        header.get("encoding", "").lower() == "raw"
        if is_nrrd
        else not _is_true(header.get("compresseddata", "")) and _is_true(header.get("binarydata", ""))
    )
    return (0 if data else end) if is_plain and not is_moved else None


def read_packed(packed: Packed, shape: tuple[int, ...], dtype: Any) -> NDArray[Any] | None:
    """Inflate voxels, comparing their checksum.

    Args:
        packed: Of `find_packed`.
        shape: Sizes of all axes, the slowest first, numbers of one voxel last.
        dtype: Of one number, in this machine's order of bytes.

    Returns:
        The voxels; None when the header says something of how they lie that is ITK's to understand. Their checksum is
        compared then too.

    Raises:
        ValueError: When bytes are missing, or a slice or more is left over.
        IsalError: `checksums.ISAL_FAULT`, for a wrong checksum.
    """
    with packed.path.open("rb") as source:
        source.seek(packed.offset)
        content = source.read(-1 if packed.length is None else packed.length)
    stored = np.dtype(dtype).newbyteorder(">" if packed.big_endian else "<")
    n_bytes = int(np.prod(shape, dtype=np.int64)) * stored.itemsize
    voxels = inflate(content, n_bytes)
    if packed.is_plain and len(voxels) - n_bytes >= n_bytes // shape[0]:
        message = f"{len(voxels)} bytes of voxels where {n_bytes} are declared"
        raise ValueError(message)
    fits = not packed.axes or packed.axes == tuple(n for n in (*shape[3:], *reversed(shape[:3])))
    if len(voxels) != n_bytes or not packed.is_plain or not fits:
        return None
    return np.frombuffer(voxels, stored).reshape(shape).astype(dtype, copy=False)


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Return a header's fields, and where it ends."""
    with path.open("rb") as source:
        head = source.read(HEADER_BYTES)
    end = (NRRD_END if path.suffix.lower() in NRRD_ENDINGS else META_END).search(head)
    return _fields(head[: end.end() if end else None]), end.end() if end else len(head)


def _fields(head: bytes) -> dict[str, str]:
    """Return a header's fields, keys in lower case: `key: value` of NRRD (`key:=value` is a comment's), `key = value` of MetaImage."""
    fields = {}
    for line in head.decode("latin-1").splitlines():
        match = re.match(r"([^:=#]+?)\s*(?::(?!=)|=)\s*(.*?)\s*$", line)
        if match:
            fields[match[1].strip().lower()] = match[2]
    return fields


def _whole(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split()) if re.fullmatch(r"[\d\s]+", text) else ()


def _is_true(text: str) -> bool:
    """Tell as MetaIO does, by the first letter."""
    return text[:1].lower() in ("t", "1")
