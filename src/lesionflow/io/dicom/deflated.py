"""Deflated DICOM files (PS3.5 A.5), read without believing that they are as small unpacked as they look."""

import zlib
from io import BytesIO
from pathlib import Path

from pydicom.filereader import read_file_meta_info

PREAMBLE_BYTES = 132
DEFLATED_SYNTAX = b"1.2.840.10008.1.2.1.99"
#: Where the transfer syntax stands, at most.
META_BYTES = 2048
#: A deflated file of 400 kB may hold 400 MB: none that a study needs is larger than this.
MAX_INFLATED_BYTES, INFLATE_BYTES = 128 << 20, 4 << 20


def is_deflated(head: bytes) -> bool:
    """Tell by its first bytes whether a DICOM file is deflated."""
    return DEFLATED_SYNTAX in head[:META_BYTES]


def read_bounded(path: Path) -> BytesIO:
    """Read a file's bytes, as they are.

    Raises:
        ValueError: When it is deflated and would fill the memory.
    """
    content = path.read_bytes()
    if (at := content.find(DEFLATED_SYNTAX, 0, META_BYTES)) >= 0:
        meta = read_file_meta_info(path)
        # Preamble and magic, then (0002,0000) with its 4-byte value, which says how long the rest of the group is.
        start = PREAMBLE_BYTES + 12 + int(meta.get("FileMetaInformationGroupLength", at))
        _refuse_bomb(content[start:])
    return BytesIO(content)


def _refuse_bomb(deflated: bytes) -> None:
    inflating, n_bytes = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while deflated and not inflating.eof:
        n_bytes += len(inflating.decompress(deflated, INFLATE_BYTES))
        if n_bytes > MAX_INFLATED_BYTES:
            message = f"more than {MAX_INFLATED_BYTES >> 20} MB in a deflated file"
            raise ValueError(message)
        deflated = inflating.unconsumed_tail
