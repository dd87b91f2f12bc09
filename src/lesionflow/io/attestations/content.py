"""What tells one content of a step's input or output from every other: a sha256, of a folder without reading again what was not touched."""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from lesionflow.io.files import find_files, parse_json, sha256_file, write_text
from lesionflow.io.signing.bundle_manifest import SUMS
from lesionflow.io.stores.raw_manifest import CLOCK_SLACK_NS, hash_files, manifest_path

#: Of a file: inode, bytes, times of its last change and of its last change of state (which no program can set back), and its sha256.
Known = Mapping[str, tuple[tuple[int, int, int, int], str]]


def sha256_of_content(path: Path, memory: Path, *, workers: int) -> str:
    """Return the sha256 that stands for a file or folder.

    Of a file that of its bytes. Of a bundle that of its `SHA256SUMS`, which whoever reads a bundle holds its files against. Of another folder that of the
    lines `sha256  name` of its files, hidden ones apart, sorted by name.

    Args:
        path: The file or folder.
        memory: A folder for the hashes of a folder's files: next time only what the file system says was touched is read. Where it can't be written,
            every byte is read each time.
        workers: Files hashed at once.

    Raises:
        InputError: When folders lie too deep in one another or can't be read.
        MachineError: When the machine can't read a file.
    """
    if path.is_file():
        return sha256_file(path)
    if (path / SUMS).is_file():
        return sha256_file(path / SUMS)
    began, place = time.time_ns(), _memory_of(memory, path)
    known = _recall(place)
    files = {file.relative_to(path).as_posix(): file for file in find_files(path)}
    states = {name: _state(file) for name, file in files.items()}
    kept = {name: known[name][1] for name in files if name in known and known[name][0] == states[name]}
    hashes = {**kept, **hash_files({name: file for name, file in files.items() if name not in kept}, workers)}
    # Clocks of file systems are coarse: what was written a moment ago may be written again without a sign.
    sure = {name: (state, hashes[name]) for name, state in states.items() if state[3] < began - CLOCK_SLACK_NS}
    if sure != known:
        _remember(place, sure)
    lines = "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))
    return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()


def recorded_sha256(folder: Path) -> str | None:
    """Return the sha256 of the manifest in which a folder of studies was recorded, whose bytes `ingest` compares it with; None where it was not."""
    manifest = manifest_path(folder)
    return sha256_file(manifest) if manifest.is_file() else None


def _memory_of(memory: Path, path: Path) -> Path:
    place = hashlib.sha256(os.path.realpath(path).encode()).hexdigest()
    return memory / f".{path.name}-{place:.8}.hashes"


def _state(file: Path) -> tuple[int, int, int, int]:
    found = file.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _recall(place: Path) -> Known:
    try:
        return {name: ((*map(int, state),), str(sha256)) for name, (state, sha256) in parse_json(place).items()}  # type: ignore[misc]
    except (OSError, ValueError, TypeError, AttributeError):
        # Of a memory that is absent or was harmed nothing is believed.
        return {}


def _remember(place: Path, known: Known) -> None:
    try:
        write_text(place, json.dumps(known))
    except OSError:
        place.unlink(missing_ok=True)
