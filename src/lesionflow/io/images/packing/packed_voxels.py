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
    with path.open("rb") as source:
        head = source.read(HEADER_BYTES)
    end = (NRRD_END if path.suffix.lower() in (".nrrd", ".nhdr") else META_END).search(head)
    header = _fields(head[: end.end() if end else None])
    offset = 0 if data else (end.end() if end else len(head))
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
        ValueError: When bytes are missing or left over.
        IsalError: `checksums.ISAL_FAULT`, for a wrong checksum.
    """
    with packed.path.open("rb") as source:
        source.seek(packed.offset)
        content = source.read(-1 if packed.length is None else packed.length)
    stored = np.dtype(dtype).newbyteorder(">" if packed.big_endian else "<")
    n_bytes = int(np.prod(shape, dtype=np.int64)) * stored.itemsize
    voxels = inflate(content, n_bytes)
    fits = not packed.axes or packed.axes == tuple(n for n in (*shape[3:], *reversed(shape[:3])))
    if len(voxels) != n_bytes or not packed.is_plain or not fits:
        return None
    return np.frombuffer(voxels, stored).reshape(shape).astype(dtype, copy=False)


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
