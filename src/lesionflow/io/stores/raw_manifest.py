"""A folder's sha256 manifest: what lay there when it was recorded, and what has changed since.

The file is the one that `sha256sum` writes and `sha256sum --check` reads (GNU coreutils), one line a file. It names files,
so it may name patients: it lies beside the data, under DVC like these, and never in git.
"""

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from lesionflow.errors import ArtifactError
from lesionflow.io.files import find_files, replacing_file, sha256_file

#: Clocks of file systems are coarse: what was written this shortly before a manifest is hashed again.
CLOCK_SLACK_NS = 2_000_000_000
HASH_DIGITS = 64


class FolderState(NamedTuple):
    """A folder beside its manifest: the hash of every file that is there, and the names of those that differ."""

    hashes: Mapping[str, str]
    added: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Tell whether all that was recorded is there as it was."""
        return not self.changed and not self.missing


def manifest_path(folder: Path) -> Path:
    """Return where the manifest of a folder lies: beside it, so that a folder that is only linked stays untouched."""
    return folder.with_name(f"{folder.name}.sha256")


def read_manifest(path: Path) -> dict[str, str]:
    """Read a manifest.

    Args:
        path: What `write_manifest` or `sha256sum` wrote.

    Returns:
        Hash by file name, relative to the manifest's folder; empty when there is no manifest.

    Raises:
        ArtifactError: When a line is broken.
    """
    if not path.exists():
        return {}
    hashes = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="surrogateescape").split("\n"), 1):
        escaped = line.startswith("\\")
        digest, _, name = line.removeprefix("\\").partition("  ")
        if not line:
            continue
        if len(digest) != HASH_DIGITS or not name:
            raise ArtifactError(f"Expected `sha256  file` in line {number} of {path.name}, found {line!r:.80}.")
        hashes[_unescaped(name) if escaped else name] = digest
    return hashes


def write_manifest(path: Path, hashes: Mapping[str, str], *, as_of_ns: int) -> None:
    """Write a manifest, whole or not at all.

    Args:
        path: Where.
        hashes: Hash by file name.
        as_of_ns: When hashing began: becomes the file's time, so that later only what changed since need be read.
    """
    with replacing_file(path) as partial:
        lines = (_line(name, hashes[name]) for name in sorted(hashes))
        partial.write_text("".join(lines), encoding="utf-8", errors="surrogateescape")
        os.utime(partial, ns=(as_of_ns, as_of_ns))


def compare(folder: Path, *, workers: int, trust_times: bool = False) -> FolderState:
    """Compare a folder with its manifest.

    Args:
        folder: What was recorded; a link is followed.
        workers: Files hashed at once.
        trust_times: Read only what the file system says was touched (its change time, which no program can set back)
            since the manifest was written; without, every byte is read.

    Returns:
        Its state; with no manifest, every file is `added`.
    """
    path = manifest_path(folder)
    recorded = read_manifest(path)
    since = path.stat().st_mtime_ns - CLOCK_SLACK_NS if trust_times and recorded else 0
    files = {_name(folder, file): file for file in find_files(folder)}
    known = {name: recorded[name] for name in files if name in recorded and _untouched(files[name], since)}
    hashes = {**known, **hash_files({name: file for name, file in files.items() if name not in known}, workers)}
    return FolderState(
        hashes={name: hashes[name] for name in sorted(hashes)},
        added=tuple(sorted(name for name in hashes if name not in recorded)),
        changed=tuple(sorted(name for name in hashes if name in recorded and hashes[name] != recorded[name])),
        missing=tuple(sorted(name for name in recorded if name not in files)),
    )


def record(folder: Path, *, workers: int) -> FolderState:
    """Write a folder's manifest as the folder is now; return what differed from the last one."""
    began = time.time_ns()
    state = compare(folder, workers=workers, trust_times=True)
    write_manifest(manifest_path(folder), state.hashes, as_of_ns=began)
    return state


def hash_files(files: Mapping[str, Path], workers: int) -> dict[str, str]:
    """Hash files in threads: hashing lets go of Python's lock."""
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        return dict(zip(files, pool.map(sha256_file, files.values()), strict=True))


def changed_files(folder: Path, hashes: Mapping[str, str]) -> set[str]:
    """Return which files of a folder are not those that its manifest names; those that it does not name are new.

    Args:
        folder: What was recorded, or not.
        hashes: Hash by path; paths that lie elsewhere (unpacked from an archive) are passed over.
    """
    recorded = read_manifest(manifest_path(folder))
    inside = [file for file in hashes if Path(file).is_relative_to(folder)] if recorded else []
    return {file for file in inside if recorded.get(_name(folder, Path(file)), hashes[file]) != hashes[file]}


def _name(folder: Path, file: Path) -> str:
    return f"{folder.name}/{file.relative_to(folder).as_posix()}"


def _untouched(file: Path, since_ns: int) -> bool:
    found = file.stat()
    return max(found.st_ctime_ns, found.st_mtime_ns) < since_ns


def _line(name: str, digest: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n"


def _unescaped(name: str) -> str:
    parts = name.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace("\\r", "\r") for part in parts)
