"""Checksums of packed image files, asked for to the very end: who stops at the last voxel never sees that a bit has flipped.

gzip ends in a CRC-32 and a length (RFC 1952, 2.3.1), zlib in an Adler-32 (RFC 1950, 2.2), each chunk of a PNG in a CRC-32
(W3C PNG, 5.3). TIFF has a checksum where it is deflated, none where it is LZW or plain; JPEG, BMP and files that are not packed
have none at all: what a flipped bit did to them can't be known.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any

from isal import igzip_lib, isal_zlib

#: A class, which isal's type stubs call an instance.
ISAL_FAULT: Any = igzip_lib.IsalError
BLOCK_BYTES = 1 << 20
#: What may follow the last voxel, packed with it, before it is no padding any more.
MAX_TRAILING_BYTES = 16 << 20
#: Packed as a gzip member or as a zlib stream (zlib's `windowBits`).
GZIP, ZLIB = 31, 15
GZIP_MAGIC = b"\x1f\x8b"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
#: Length, kind and CRC of a PNG's chunk.
LENGTH_BYTES, KIND_BYTES, CRC_BYTES = 4, 4, 4


def drain(source: IO[bytes], n_bytes: int = 0) -> int:
    """Read a stream that unpacks to its end, where its checksum is compared.

    Args:
        source: The stream.
        n_bytes: What is still to come but for padding.

    Returns:
        How many bytes were left.

    Raises:
        ValueError: When far more follows than padding; and what the stream raises for a wrong checksum.
    """
    n_found = 0
    while block := source.read(BLOCK_BYTES):
        n_found += len(block)
        if n_found > n_bytes + MAX_TRAILING_BYTES:
            message = f"more than {MAX_TRAILING_BYTES >> 20} MB behind the voxels that its header claims"
            raise ValueError(message)
    return n_found


def inflate(packed: bytes, n_bytes: int) -> bytes:
    """Unpack gzip members or a zlib stream whole, and compare every checksum.

    Args:
        packed: All of it; zeros may follow, as tapes leave them.
        n_bytes: How many bytes are wanted.

    Returns:
        At least the first `n_bytes`, and no more than padding behind them.

    Raises:
        ValueError: When bytes are missing, or far more come than wanted, or anything else follows.
        IsalError: `ISAL_FAULT`, for a wrong checksum or a broken code.
    """
    parts: list[bytes] = []
    n_found = 0
    while packed.strip(b"\0") if parts else packed:
        unpacker = isal_zlib.decompressobj(wbits=GZIP if packed.startswith(GZIP_MAGIC) else ZLIB)
        for part in _unpacked(unpacker, (packed,), n_bytes + MAX_TRAILING_BYTES - n_found):
            parts.append(part)
            n_found += len(part)
        packed = unpacker.unused_data
    if n_found < n_bytes:
        message = f"{n_found} bytes where {n_bytes} are declared"
        raise ValueError(message)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def verify_png(content: bytes, most_bytes: int) -> None:
    """Compare the CRC of every chunk of a PNG, and the checksum of its packed pixels.

    Args:
        content: The file.
        most_bytes: More than its pixels take unpacked.

    Raises:
        ValueError: When one is wrong, or the end is missing.
        IsalError: `ISAL_FAULT`, as `inflate`.
    """
    pixels = [chunk for kind, chunk in _png_chunks(content) if kind == b"IDAT"]
    _require_end(pixels, most_bytes)


def verify_strips(source: IO[bytes], places: Iterable[tuple[int, int]], most_bytes: int) -> None:
    """Compare the checksum of each deflated strip or tile of a TIFF.

    Args:
        source: The file.
        places: Offset and length of each strip.
        most_bytes: More than all take unpacked.

    Raises:
        ValueError: When one ends too early.
        IsalError: `ISAL_FAULT`, as `inflate`.
    """
    for offset, length in places:
        source.seek(offset)
        _require_end([source.read(length)], most_bytes)


def _require_end(packed: Iterable[bytes], most_bytes: int) -> None:
    for _ in _unpacked(isal_zlib.decompressobj(wbits=ZLIB), packed, most_bytes):
        pass


def _unpacked(unpacker: Any, packed: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    """Yield what a stream holds, up to its checksum."""
    n_bytes = 0
    for block in packed:
        left = block
        while left and not unpacker.eof:
            part = unpacker.decompress(left, max(most_bytes - n_bytes + 1, 1))
            n_bytes += len(part)
            if n_bytes > most_bytes:
                raise ValueError("more packed bytes than are declared")
            yield part
            left = unpacker.unconsumed_tail
    if not unpacker.eof:
        raise ValueError("packed bytes that end before their checksum")


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at, kind = len(PNG_MAGIC), b""
    while kind != b"IEND":
        length = int.from_bytes(content[at : at + LENGTH_BYTES], "big")
        start = at + LENGTH_BYTES
        end = start + KIND_BYTES + length
        kind = content[start : start + KIND_BYTES]
        if len(content) < end + CRC_BYTES:
            raise ValueError("a PNG that ends before its last chunk")
        if zlib.crc32(content[start:end]) != int.from_bytes(content[end : end + CRC_BYTES], "big"):
            message = f"a chunk {kind!r} whose checksum is another"
            raise ValueError(message)
        yield kind, content[start + KIND_BYTES : end]
        at = end + CRC_BYTES
