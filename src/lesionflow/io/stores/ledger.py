"""The ledger of the test set: when, by which step and for which run it was read. One line a read, never taken back.

Each line names the sha256 of the line before it, so that a line that was changed or taken out shows.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lesionflow.errors import ArtifactError

NAME = "test_set_reads.jsonl"
FIRST = "0" * 64
#: Reads that are shown; the file has all.
N_SHOWN = 3


def ledger_path(splits: Path) -> Path:
    """Return where the ledger of a split lies: beside it, in git, since it names nobody."""
    return splits.with_name(NAME)


def note_read(path: Path, facts: Mapping[str, object]) -> None:
    """Add a line before the test set is read. It is on the disk when this returns: a kill afterwards does not undo it.

    Args:
        path: The ledger; made when missing.
        facts: Who reads what: step, run, bundle, test set, code.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        written = path.read_bytes()
        # A line that a kill or a full disk cut off stays as it is, and the next one starts on a line of its own.
        broken = b"" if not written or written.endswith(b"\n") else b"\n"
        line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **facts, "previous": _last_digest(written)}
        os.write(file, broken + json.dumps(line, sort_keys=False).encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


def read_ledger(path: Path) -> tuple[dict[str, Any], ...]:
    """Return all reads, oldest first.

    Raises:
        ArtifactError: When a line was changed, taken out or put in.
    """
    entries, previous = [], FIRST
    for number, line in enumerate(_whole_lines(path.read_bytes() if path.exists() else b""), 1):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry.get("previous") != previous:
            raise ArtifactError(
                f"Expected line {number} of {path.name} to follow the one before it, found that one changed or gone. The "
                "ledger of the test set is only ever added to: restore it from git."
            )
        entries.append(entry)
        previous = hashlib.sha256(line).hexdigest()
    return tuple(entries)


def describe_ledger(path: Path) -> tuple[str, ...]:
    """Say how often the test set was read, and by whom last."""
    entries = read_ledger(path)
    if not entries:
        return ("test set: never read",)
    last = (
        f"  {entry['at']} by {entry['step']} for run {entry['run_id'] or '(none)'}: {entry['n_cases']} cases, set "
        f"{entry['test_set_sha256']:.12}"
        for entry in entries[-N_SHOWN:]
    )
    return (f"test set: read {len(entries)} times, last", *last)


def _whole_lines(content: bytes) -> Iterator[bytes]:
    return (line for line in content.split(b"\n") if line)


def _last_digest(content: bytes) -> str:
    for line in reversed(list(_whole_lines(content))):
        try:
            json.loads(line)
        except ValueError:
            continue
        return hashlib.sha256(line).hexdigest()
    return FIRST
