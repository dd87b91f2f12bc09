"""Zip archives, unpacked without trusting them: no path of its own, no more bytes than allowed."""

import errno
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple

from lesionflow.errors import InputError
from lesionflow.io.files import find_files
from lesionflow.io.rules import SourceStudy
from lesionflow.machine.faults import blame_machine

ZIP_MAGIC = b"PK\x03\x04"
EMPTY_ZIP_MAGIC, ZIP64_MAGIC, ROUND = b"PK\x05\x06", b"PK\x06\x06", 1 << 16
BLOCK_BYTES = 1 << 20
#: Files that file managers add on their own.
CLUTTER = re.compile(r"(^|/)(__MACOSX/.*|\.DS_Store|Thumbs\.db|desktop\.ini|\._[^/]*)$", re.IGNORECASE)
#: Faults that zipfile is known to raise on broken archives.
ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, RuntimeError)
#: Where a library begins to repeat a name or bytes.
QUOTE = re.compile(r"b?['\"]")
ENCRYPTED_FLAG = 0x1
#: A local header without its name and extra field (APPNOTE 4.3.7).
LOCAL_HEADER_BYTES = 30
#: The table of contents stands before the last 64 KiB comment; its entries hold a name and a little more.
TAIL_BYTES = (1 << 16) + 200
CONTENTS_BYTES_PER_FILE = 1024
#: Entries of folders and of clutter that may stand beside those of files.
ENTRIES_PER_FILE = 3


#: A data set in a zip may grow to this and, beyond it, to so many times the zip's own size.
MAX_UNPACKED_BYTES, MAX_GROWTH = 256 << 20, 100
#: Files of a zip, as the service allows unless it is told another number; beyond it, one for so many bytes of the zip: a slice
#: of a collection packs to more, and names without content are nobody's.
MAX_FILES, BYTES_PER_FILE = 20_000, 4096
#: Collections are given out as zips that hold a zip a patient, which holds a zip of images; no further.
MAX_DEPTH = 3
#: Folders in one another in a zip.
MAX_PATH_PARTS = 64


def unpack(
    archive: Path, folder: Path, *, max_bytes: int, max_files: int, place: Callable[[int, str], str] | None = None
) -> list[Path]:
    """Write the files of a zip below a folder.

    Args:
        archive: The zip.
        folder: An empty folder.
        max_bytes: Largest sum of the unpacked files, counted while they are written, whatever the zip claims.
        max_files: Most files.
        place: Gives the path below `folder` of entry number n by its name; without, the entry's own path, made harmless.

    Returns:
        The files, in the zip's order.

    Raises:
        InputError: `not_a_zip`, `unreadable_zip`, `encrypted_zip`, `unsafe_path`, `zip_bomb` (entries that overlap),
            `empty_study`, `unpacked_too_large` or `too_many_files`.
    """
    if (
        _contents_bytes(archive) > max_files * CONTENTS_BYTES_PER_FILE
        or _entry_count(_tail(archive)) > ENTRIES_PER_FILE * max_files
    ):
        raise _too_many_files(max_files)
    try:
        with zipfile.ZipFile(archive) as source:
            _require_all(archive, source)
            entries = _checked_entries(source, max_files)
            return _write_entries(source, entries, folder, max_bytes, place or _own_path)
    except InputError:
        raise
    except ZIP_FAULTS as error:
        blame_machine(error, folder)
        reason = "unreadable_zip" if is_zip(archive) else "not_a_zip"
        found = _in_words(error) if reason == "unreadable_zip" else "a file that is none"
        raise InputError(
            f"Expected a zip, found {found}. Zip the folder again, or copy it anew.", reason=reason
        ) from error


def _in_words(error: Exception) -> str:
    """Say what is wrong with a zip, with zipfile's own words behind up to the name of a file: it may be a patient's."""
    if isinstance(error, FileExistsError):
        return "two entries of one name: which is meant can't be told"
    said = (error.strerror or "") if isinstance(error, OSError) else QUOTE.split(str(error))[0].strip()
    if isinstance(error, NotImplementedError):
        return f"one that is packed in a way that can't be read here ({said:.100})"
    return f"one that is damaged or was copied in part ({said or type(error).__name__:.100})"


@contextmanager
def opened(raw: Path) -> Iterator[tuple[Path, list[SourceStudy]]]:
    """Give a folder with the zips in it unpacked, each into a folder of its name; it is gone on leaving.

    Args:
        raw: A folder, or one zip.

    Yields:
        `raw` itself when it holds no zip, else a view of it; and a refused study for each zip that can't be unpacked.
    """
    zips = [raw] if raw.is_file() else [path for path in find_files(raw) if path.suffix.lower() == ".zip"]
    if not zips:
        yield raw, []
        return
    with TemporaryDirectory(prefix="lesionflow-") as scratch:
        view = Path(scratch) / raw.name
        refused = []
        for path in find_files(raw) if raw.is_dir() else ():
            if path not in zips:
                link = view / path.relative_to(raw)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.absolute())
        for path in zips:
            target = view / path.relative_to(raw) if raw.is_dir() else view
            try:
                _unpack_nested(path, target, allowed(path), 1)
            except InputError as error:
                shutil.rmtree(target, ignore_errors=True)
                name = path.relative_to(raw).as_posix() if raw.is_dir() else path.name
                refused.append(SourceStudy(name, name, (str(path),), (error.reason, str(error))))
        yield view, refused


class Allowed(NamedTuple):
    """What a zip may grow to.

    Args:
        n_bytes: Sum of its files, unpacked.
        n_files: Their number.
    """

    n_bytes: int
    n_files: int


def allowed(archive: Path) -> Allowed:
    """Return what a zip may grow to by its size."""
    n_bytes = archive.stat().st_size
    return Allowed(MAX_UNPACKED_BYTES + MAX_GROWTH * n_bytes, max(MAX_FILES, n_bytes // BYTES_PER_FILE))


def _unpack_nested(archive: Path, folder: Path, budget: Allowed, depth: int) -> Allowed:
    """Unpack a zip and those in it; return what is left of the budget."""
    if depth > MAX_DEPTH:
        message = f"Expected zips at most {MAX_DEPTH} deep, found one in another further down. Unpack the outer ones."
        raise InputError(message, reason="nested_zip")
    folder.mkdir(parents=True)
    files = unpack(archive, folder, max_bytes=budget.n_bytes, max_files=budget.n_files)
    n_bytes = sum(path.stat().st_size for path in files)
    budget = Allowed(budget.n_bytes - n_bytes, budget.n_files - len(files))
    for path in files:
        if path.suffix.lower() == ".zip":
            inner = path.rename(path.with_name(f".{path.name}"))
            budget = _unpack_nested(inner, path, budget, depth + 1)
            inner.unlink()
    return budget


def is_zip(path: Path) -> bool:
    """Tell whether a file begins as a zip does."""
    with path.open("rb") as file:
        return file.read(4) in (ZIP_MAGIC, EMPTY_ZIP_MAGIC)


def _tail(archive: Path) -> bytes:
    """Return a zip's end, where its table of contents is described."""
    with archive.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL_BYTES))
        return file.read()


def _require_all(archive: Path, source: zipfile.ZipFile) -> None:
    """Refuse a table of contents that lost entries: zipfile goes by its size, and a flipped length hides those that follow."""
    found, declared = len(source.infolist()), _entry_count(_tail(archive))
    if found % ROUND != declared % ROUND:
        message = (
            f"Expected the {declared} entries that the zip counts, found {found}: it is broken. Zip the folder again."
        )
        raise InputError(message, reason="unreadable_zip")


def _entry_count(tail: bytes) -> int:
    """Return the number of all entries that a zip's end tells (APPNOTE 4.3.16, 4.3.14); some programs count round beyond 65,535."""
    at, at_64 = tail.rfind(EMPTY_ZIP_MAGIC), tail.rfind(ZIP64_MAGIC)
    if at < 0 or at + 12 > len(tail):
        return 0
    declared = struct.unpack_from("<H", tail, at + 10)[0]
    if declared == ROUND - 1 and 0 <= at_64 <= len(tail) - 40:
        declared = struct.unpack_from("<Q", tail, at_64 + 32)[0]
    return int(declared)


def _contents_bytes(archive: Path) -> int:
    """Size that the table of contents claims: zipfile holds all of it in memory, some 1 kB an entry."""
    tail = _tail(archive)
    # (magic, where its record holds the size, its format): APPNOTE 4.3.16 and, for ZIP64, 4.3.14
    records = ((EMPTY_ZIP_MAGIC, 12, "<I"), (ZIP64_MAGIC, 40, "<Q"))
    claims = [0]
    for magic, offset, form in records:
        starts = (m.start() + offset for m in re.finditer(re.escape(magic), tail))
        claims += [struct.unpack_from(form, tail, at)[0] for at in starts if at + struct.calcsize(form) <= len(tail)]
    return max(claim for claim in claims if claim != 0xFFFFFFFF)


def _too_many_files(max_files: int) -> InputError:
    return InputError(f"Expected at most {max_files} files in the zip, found more.", reason="too_many_files")


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
    too_deep = len(path.parts) > MAX_PATH_PARTS
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or is_link or too_deep:
        message = "Expected files below one folder in the zip, found a path out of it or a link. Zip the folder again."
        raise InputError(message, reason="unsafe_path")
    if entry.flag_bits & ENCRYPTED_FLAG:
        message = "Expected a zip without a password, found an encrypted one. Zip the folder without a password."
        raise InputError(message, reason="encrypted_zip")


def _write_entries(
    source: zipfile.ZipFile,
    entries: list[zipfile.ZipInfo],
    folder: Path,
    max_bytes: int,
    place: Callable[[int, str], str],
) -> list[Path]:
    n_bytes = sum(entry.file_size for entry in entries)
    _require_room(n_bytes, max_bytes)
    _require_disk(n_bytes, folder)
    written, files = 0, []
    for number, entry in enumerate(entries):
        path = folder / place(number, entry.filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        with source.open(entry) as packed, path.open("xb") as unpacked:
            while block := packed.read(BLOCK_BYTES):
                written += len(block)
                _require_room(written, max_bytes)
                unpacked.write(block)
        files.append(path)
    return files


def _require_room(n_bytes: int, max_bytes: int) -> None:
    if n_bytes > max_bytes:
        message = f"Expected at most {max_bytes / 1e6:.0f} MB unpacked, found more. Unpack it by hand, or send less."
        raise InputError(message, reason="unpacked_too_large")


def _require_disk(n_bytes: int, folder: Path) -> None:
    """Tell before anything is written that the disk is too small: that is no fault of the zip."""
    if n_bytes > shutil.disk_usage(folder).free:
        blame_machine(OSError(errno.ENOSPC, f"{n_bytes / 1e6:.0f} MB are to be unpacked"), folder)


def harmless(name: str) -> str:
    """Return the last part of a path with nothing in it that a file system could take for more than a name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", PurePosixPath(name).name)[-60:]


def _own_path(_: int, name: str) -> str:
    # Unsafe paths were refused before; a backslash is what old Windows programs write for a slash.
    return name.replace("\\", "/")
