"""Preprocessed cases: one compressed, chunked file a case, of which a patch can be read alone.

A file is an uncompressed zip of two Blosc2 frames (`image`, `mask`), chunked by slice, and of the places of some labelled
voxels (`foreground.npy`). The folder's `index.json` says from what each file was made and its sha256.
"""

import hashlib
import io
import json
import mmap
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from lesionflow.errors import ArtifactError
from lesionflow.io.files import replacing_file, sha256_file, write_text
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

# Whatever `nthreads` says, blosc2 4.14 gives each chunk that it appends to another thread and waits for it: on busy cores
# that takes thirty times as long as compressing it. Cases are made side by side in processes.
os.environ.setdefault("BLOSC_NTHREADS", "1")
INDEX = "index.json"
SUFFIX = ".lfc"
#: The same content must give the same bytes, so every member carries the earliest time that zip knows.
NO_TIME = (1980, 1, 1, 0, 0, 0)
#: zstd level 1 takes a third of the time of level 3, and the files are a fiftieth larger.
LEVEL = 1


class IndexEntry(BaseModel):
    """What a file was made from (`key`), its own `sha256`, or why there is none (`reason`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    sha256: str
    reason: str = ""


class StoredCase(NamedTuple):
    """One preprocessed case: arrays that read a block when sliced, and some labelled voxels."""

    image: Any
    mask: Any
    foreground: dict[int, NDArray[np.int32]]


def case_file(folder: Path, case_id: str) -> Path:
    """Return where a preprocessed case lies."""
    return folder / f"{case_id}{SUFFIX}"


def write_case(
    path: Path, image: NDArray[np.float32], mask: NDArray[np.uint8], foreground: dict[int, NDArray[np.int32]]
) -> str:
    """Write one preprocessed case, whole or not at all; the same arrays give the same bytes.

    Args:
        path: Where.
        image: (channel, slice, row, column).
        mask: Labels (slice, row, column).
        foreground: Some voxels (n, 3) of each label.

    Returns:
        The file's sha256.
    """
    members = {
        "image": _frame(image, (1, 1, *image.shape[2:])),
        "mask": _frame(mask, (1, *mask.shape[1:])),
        "foreground.npy": _table(foreground),
    }
    with replacing_file(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, NO_TIME), content)
    return sha256_file(path)


def open_case(path: Path) -> StoredCase:
    """Open a preprocessed case; blocks are decompressed when they are read.

    Raises:
        ArtifactError: When the file is missing or not one of ours.
    """
    import blosc2

    try:
        with path.open("rb") as source:
            content = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
        with zipfile.ZipFile(path) as archive:
            _require_whole(archive)
            offsets = {info.filename: _data_offset(content, info) for info in archive.infolist()}
            table = np.load(io.BytesIO(archive.read("foreground.npy")), allow_pickle=False)
        image, mask = (
            blosc2.ndarray_from_cframe(content[slice(*offsets[name])], copy=True) for name in ("image", "mask")
        )
    except (OSError, EOFError, ValueError, LookupError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        blame_machine(error)
        raise ArtifactError(
            f"Expected a preprocessed case in {path.name}, found: {plain_words(error)}. Run preprocess again."
        ) from error
    foreground = {int(label): table[table[:, 0] == label, 1:] for label in np.unique(table[:, 0])}
    return StoredCase(image, mask, foreground)


def read_index(folder: Path, name: str = INDEX) -> dict[str, IndexEntry]:
    """Read the folder's index; an absent or broken one is empty, so that every case is made again."""
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        return {case_id: IndexEntry.model_validate(entry) for case_id, entry in content.items()}
    except (OSError, ValueError, ValidationError, AttributeError, RecursionError) as error:
        blame_machine(error)
        return {}


def write_index(folder: Path, index: dict[str, IndexEntry]) -> None:
    """Write the folder's index."""
    content = {case_id: index[case_id].model_dump() for case_id in sorted(index)}
    write_text(folder / INDEX, json.dumps(content, indent=1) + "\n")


def is_intact(folder: Path, case_id: str, entry: IndexEntry) -> bool:
    """Tell whether a case's file is there with the bytes that the index names."""
    path = case_file(folder, case_id)
    return path.is_file() and sha256_file(path) == entry.sha256


def revision_of(case_ids: Iterable[str], index: Mapping[str, IndexEntry]) -> str:
    """Return the data revision of a training: a digest over from what each of its cases was made.

    Args:
        case_ids: What was learned from and validated on.
        index: It must name them all.
    """
    content = "".join(f"{case_id} {index[case_id].key}\n" for case_id in sorted(case_ids))
    return hashlib.sha256(content.encode()).hexdigest()


def _require_whole(archive: zipfile.ZipFile) -> None:
    """Compare the CRC of each member: Blosc2 has no checksum of its own, and blocks are read past zipfile."""
    harmed = archive.testzip()
    if harmed is not None:
        message = f"a wrong checksum of {harmed}"
        raise ValueError(message)


def _frame(array: NDArray[Any], chunks: tuple[int, ...]) -> bytes:
    # Who reads the index alone loads no blosc2.
    import blosc2

    how = {"codec": blosc2.Codec.ZSTD, "clevel": LEVEL, "filters": [blosc2.Filter.SHUFFLE], "nthreads": 1}
    compressed = blosc2.asarray(np.ascontiguousarray(array), chunks=chunks, blocks=chunks, cparams=how)
    return bytes(compressed.to_cframe())


def _table(foreground: dict[int, NDArray[np.int32]]) -> bytes:
    rows = [np.column_stack([np.full(len(v), label, np.int32), v]) for label, v in sorted(foreground.items())]
    table = np.concatenate(rows).astype(np.int32) if rows else np.empty((0, 4), np.int32)
    buffer = io.BytesIO()
    np.save(buffer, table, allow_pickle=False)
    return buffer.getvalue()


def _data_offset(content: mmap.mmap, info: zipfile.ZipInfo) -> tuple[int, int]:
    header = content[info.header_offset : info.header_offset + 30]
    start = info.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return start, start + info.file_size
