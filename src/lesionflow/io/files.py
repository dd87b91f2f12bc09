"""Find files, and write files and folders that are whole or absent, whatever kills the process."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lesionflow.errors import ArtifactError, InputError
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

CHUNK_BYTES = 1 << 20
#: A declaration of a hundred thousand cases; parsed, it takes ten times as much.
MAX_JSON_BYTES = 16 << 20
#: Folders in one another.
MAX_DEPTH = 64


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; on leaving without an error it becomes `path` in one move.

    Args:
        path: Where the file shall be; its folder is made.

    Yields:
        The path to write, with the same suffixes as `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    except OSError as error:
        blame_machine(error, path.parent)
        raise
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; on leaving without an error it becomes `path`.

    An old folder at `path` is moved aside first, and removed once the new one stands there; it comes back where that fails: at
    every moment `path` is whole or absent.

    Args:
        path: Where the folder shall be; its parent is made.

    Yields:
        The folder to fill.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    old = path.with_name(f".old-{os.getpid()}-{path.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        if path.exists():
            path.rename(old)
        try:
            partial.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        blame_machine(error, path.parent)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all."""
    with replacing_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing_file(path) as partial:
        partial.write_bytes(content)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all."""
    with replacing_file(target) as partial:
        shutil.copyfile(source, partial)


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file's bytes.

    Raises:
        MachineError: When the machine can't read it.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as source:
            while block := source.read(CHUNK_BYTES):
                digest.update(block)
    except OSError as error:
        blame_machine(error)
        raise
    return digest.hexdigest()


def sha256_folder(path: Path) -> str:
    """Return the sha256 over names and bytes of all files below a folder, hidden ones apart."""
    digest = hashlib.sha256()
    files = (
        p
        for p in path.rglob("*")
        if p.is_file() and not any(part.startswith(".") for part in p.relative_to(path).parts)
    )
    for file in sorted(files):
        digest.update(f"{file.relative_to(path).as_posix()}\0{sha256_file(file)}\n".encode())
    return digest.hexdigest()


def find_files(folder: Path) -> list[Path]:
    """Return all files below a folder, sorted; hidden ones are passed over, links are followed, each folder once.

    Raises:
        InputError: `nested_folders` when folders lie deeper in one another than anybody sorts studies; `missing_folder`;
            `unreadable_folder`.
    """
    found, seen, waiting = [], set(), [(str(folder), 0)]
    while waiting:
        base, depth = waiting.pop()
        if (real := os.path.realpath(base)) in seen:
            continue
        seen.add(real)
        if depth > MAX_DEPTH:
            message = f"Expected folders at most {MAX_DEPTH} deep, found more. Point --data at the studies themselves."
            raise InputError(message, reason="nested_folders")
        visible = [entry for entry in _entries(base) if not entry.name.startswith(".")]
        waiting += [(e.path, depth + 1) for e in visible if e.is_dir() and e.name != "__MACOSX"]
        found += [Path(entry.path) for entry in visible if entry.is_file()]
    return sorted(found)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError as error:
        message = f"Expected a folder {Path(folder).name}, found none. Add studies, or name another folder."
        raise InputError(message, reason="missing_folder") from error
    except OSError as error:
        if not isinstance(error, PermissionError):
            blame_machine(error)
        message = "Expected a folder that may be read, found one that may not. Mend its permissions."
        raise InputError(message, reason="unreadable_folder") from error


class DuplicateKeyError(ValueError):
    """A key that stands twice in one object of JSON: readers differ on which one counts."""


def unique_pairs(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of JSON, as `object_pairs_hook` of `json.loads`.

    Raises:
        DuplicateKeyError: When a key stands twice.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            message = f"{key!r:.80} twice"
            raise DuplicateKeyError(message)
        found[key] = value
    return found


def parse_json(path: Path, object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Parse a JSON file that anybody may have written.

    Args:
        path: The file.
        object_pairs_hook: As `json.loads` takes it.

    Raises:
        ValueError: When it is no JSON, or larger or deeper than any that says something of studies.
        OSError: When it can't be read.
    """
    n_bytes = path.stat().st_size
    if n_bytes > MAX_JSON_BYTES:
        message = f"{n_bytes} bytes of JSON, more than {MAX_JSON_BYTES}"
        raise ValueError(message)
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=object_pairs_hook)
    except RecursionError as error:
        raise ValueError("JSON nested too deep") from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object that a step wrote.

    Raises:
        ArtifactError: When it is missing or none.
    """
    try:
        content = parse_json(path)
    except (OSError, ValueError) as error:
        blame_machine(error)
        raise ArtifactError(
            f"Expected a JSON file {path.name}, found: {plain_words(error, length=300)}. Run its step again."
        ) from error
    if not isinstance(content, dict):
        raise ArtifactError(f"Expected a JSON object in {path.name}, found {type(content).__name__}.")
    return content
