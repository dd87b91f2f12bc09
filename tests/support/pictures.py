"""Small pictures and volumes with values by hand, and a PNG written by its standard, for what Pillow does not write."""

import struct
import zlib
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

SHAPE = (40, 56)
ROWS, COLUMNS = np.indices(SHAPE)
#: 517 pixels.
DISC = (ROWS - 17) ** 2 + (COLUMNS - 31) ** 2 < 13**2
#: 20 pixels, apart from it.
CORNER = (ROWS < 4) & (COLUMNS < 5)
GRAY = ((7 * ROWS + 3 * COLUMNS) % 251).astype(np.uint8)


def save(path: Path, array: np.ndarray, **options) -> Path:
    """Write an array as a picture; bool is black and white."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((array * np.uint8(255)) if array.dtype == bool else array).save(path, **options)
    return path


def save_palette(path: Path, index: np.ndarray, colors: list[int]) -> Path:
    """Write indices with a palette: red, green, blue of index 0, then of 1, ..."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(index.astype(np.uint8), mode="P")
    image.putpalette(colors)
    image.save(path)
    return path


def save_png(path: Path, samples: np.ndarray, bits: int, color: int) -> Path:
    """Write samples (row, column[, sample]) as PNG of 2, 4, 8 or 16 bits and a color type (PNG, third edition, 11.2.1)."""
    rows, columns = samples.shape[:2]
    flat = samples.reshape(rows, -1)
    packed = [row.astype(">u2").tobytes() if bits == 16 else _packed(row, bits) for row in flat]
    header = struct.pack(">IIBBBBB", columns, rows, bits, color, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in packed))), (b"IEND", b"")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks))
    return path


def save_tiff(path: Path, array: np.ndarray, *, photometric: int = 1, sample_format: int = 1) -> Path:
    """Write gray or colored samples (row, column[, color]) as an uncompressed little-endian TIFF of one strip."""
    rows, columns = array.shape[:2]
    n_samples = array.shape[2] if array.ndim == 3 else 1
    data = array.astype(array.dtype.newbyteorder("<")).tobytes()
    bits = array.dtype.itemsize * 8
    many = n_samples > 1
    begin = 8 + len(data)
    extra = begin + 2 + 12 * 10 + 4
    entries = [
        (256, 4, 1, columns), (257, 4, 1, rows), (258, 3, n_samples, extra if many else bits), (259, 3, 1, 1),
        (262, 3, 1, photometric), (273, 4, 1, 8), (277, 3, 1, n_samples), (278, 4, 1, rows), (279, 4, 1, len(data)),
        (339, 3, n_samples, extra + 2 * n_samples if many else sample_format),
    ]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    tail = struct.pack(f"<{2 * n_samples}H", *[bits] * n_samples, *[sample_format] * n_samples) if many else b""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, begin) + data + directory + tail)
    return path


def save_volume(path: Path, array: np.ndarray, spacing_mm=(0.5, 0.8, 2.0)) -> Path:
    """Write an array (x, y, z) as NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(array, np.diag([*spacing_mm, 1.0])).to_filename(path)
    return path


def _packed(row: np.ndarray, bits: int) -> bytes:
    spread = [[value >> shift & 1 for shift in range(bits - 1, -1, -1)] for value in row.tolist()]
    return np.packbits(np.array(spread, dtype=np.uint8).ravel()).tobytes()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
