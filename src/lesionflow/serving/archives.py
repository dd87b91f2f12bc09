"""A zip of a study, unpacked without trusting it: no path of its own, no more bytes than allowed."""

import re
import stat
import struct
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path, PurePosixPath

from lesionflow.errors import InputError
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.settings import BYTES_PER_MB

ZIP_MAGIC = b"PK\x03\x04"
EMPTY_ZIP_MAGIC = b"PK\x05\x06"
BLOCK_BYTES = 1 << 20
#: Files that file managers add on their own.
CLUTTER = re.compile(r"(^|/)(__MACOSX/.*|\.DS_Store|Thumbs\.db|desktop\.ini|\._[^/]*)$", re.IGNORECASE)
#: Faults that zipfile is known to raise on broken archives.
ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, RuntimeError)
ENCRYPTED_FLAG = 0x1
#: A local header without its name and extra field (APPNOTE 4.3.7).
LOCAL_HEADER_BYTES = 30
#: The table of contents stands before the last 64 KiB comment; its entries hold a name and a little more.
TAIL_BYTES = (1 << 16) + 200
CONTENTS_BYTES_PER_FILE = 1024


def unpack(archive: Path, folder: Path, *, max_mb: int, max_files: int) -> list[Path]:
    """Write the files of a zip into one flat folder.

    Args:
        archive: The zip.
        folder: An empty folder.
        max_mb: Largest sum of the unpacked files, counted while they are written, whatever the zip claims.
        max_files: Most files.

    Returns:
        The files, named `<number>-<harmless rest of the own name>`, in the zip's order.

    Raises:
        InputError: `not_a_zip`, `unreadable_zip`, `encrypted_zip`, `unsafe_path`, `zip_bomb` (entries that overlap) or
            `empty_study`.
        RequestRefusedError: 413 `unpacked_too_large` or `too_many_files`.
    """
    if _contents_bytes(archive) > max_files * CONTENTS_BYTES_PER_FILE:
        raise _too_many_files(max_files)
    try:
        with zipfile.ZipFile(archive) as source:
            entries = _checked_entries(source, max_files)
            return _write_entries(source, entries, folder, max_mb * BYTES_PER_MB)
    except InputError:
        raise
    except ZIP_FAULTS as error:
        reason = "unreadable_zip" if is_zip(archive) else "not_a_zip"
        message = (
            f"Expected a zip of one DICOM study, found {type(error).__name__}: {error!s:.200}. Zip the folder again."
        )
        raise InputError(message, reason=reason) from error


def is_zip(path: Path) -> bool:
    """Tell whether a file begins as a zip does."""
    with path.open("rb") as file:
        return file.read(4) in (ZIP_MAGIC, EMPTY_ZIP_MAGIC)


def _contents_bytes(archive: Path) -> int:
    """Size that the table of contents claims: zipfile holds all of it in memory, some 1 kB an entry."""
    with archive.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL_BYTES))
        tail = file.read()
    # (magic, where its record holds the size, its format): APPNOTE 4.3.16 and, for ZIP64, 4.3.14
    records = ((b"PK\x05\x06", 12, "<I"), (b"PK\x06\x06", 40, "<Q"))
    claims = [0]
    for magic, offset, form in records:
        starts = (m.start() + offset for m in re.finditer(re.escape(magic), tail))
        claims += [struct.unpack_from(form, tail, at)[0] for at in starts if at + struct.calcsize(form) <= len(tail)]
    return max(claim for claim in claims if claim != 0xFFFFFFFF)


def _too_many_files(max_files: int) -> RequestRefusedError:
    message = f"Expected at most {max_files} files in the zip, found more. Send one study alone."
    return RequestRefusedError(message, status=413, code="too_many_files")


def _checked_entries(source: zipfile.ZipFile, max_files: int) -> list[zipfile.ZipInfo]:
    entries = [e for e in source.infolist() if not e.is_dir() and not CLUTTER.search(e.filename)]
    if len(entries) > max_files:
        raise _too_many_files(max_files)
    for entry in entries:
        _refuse_unsafe(entry)
    by_offset = sorted(source.infolist(), key=lambda entry: entry.header_offset)
    for one, following in pairwise(by_offset):
        if one.header_offset + LOCAL_HEADER_BYTES + one.compress_size > following.header_offset:
            message = "Expected zip entries one after another, found two that share bytes. Zip the folder again."
            raise InputError(message, reason="zip_bomb")
    if not entries:
        message = "Expected the files of a study in the zip, found none. Zip the study's folder."
        raise InputError(message, reason="empty_study")
    return entries


def _refuse_unsafe(entry: zipfile.ZipInfo) -> None:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    is_link = stat.S_ISLNK(entry.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or is_link:
        message = "Expected files below one folder in the zip, found a path out of it or a link. Zip the folder again."
        raise InputError(message, reason="unsafe_path")
    if entry.flag_bits & ENCRYPTED_FLAG:
        message = "Expected a zip without a password, found an encrypted one. Zip the folder without a password."
        raise InputError(message, reason="encrypted_zip")


def _write_entries(source: zipfile.ZipFile, entries: list[zipfile.ZipInfo], folder: Path, max_bytes: int) -> list[Path]:
    written, files = 0, []
    for number, entry in enumerate(entries):
        path = folder / f"{number:06d}-{_harmless(entry.filename)}"
        with source.open(entry) as packed, path.open("xb") as unpacked:
            while block := packed.read(BLOCK_BYTES):
                written += len(block)
                if written > max_bytes:
                    message = (
                        f"Expected at most {max_bytes // BYTES_PER_MB} MB unpacked, found more. Send one study alone."
                    )
                    raise RequestRefusedError(message, status=413, code="unpacked_too_large")
                unpacked.write(block)
        files.append(path)
    return files


def _harmless(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", PurePosixPath(name).name)[-60:]
