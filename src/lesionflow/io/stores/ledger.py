"""The ledger beside the split: reads of the test set, decisions, champions. One line each, on the disk before what it tells of, never taken back.

Each line has its own digest and that of the line before it, so that a line that was changed or taken out shows. Reads that were noted
before there was a ledger, in `test_set_reads.jsonl`, are its beginning: the chain goes on from the last of them.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lesionflow.data.ledger import FIRST, EntryKind, LedgerEntry, digest_of_entry, seal
from lesionflow.errors import ArtifactError
from lesionflow.io.files import DuplicateKeyError, unique_pairs
from lesionflow.machine.faults import blame_machine

NAME = "ledger.jsonl"
#: Where reads stood before; it is read as history and no longer written.
READS = "test_set_reads.jsonl"
#: How each line begins, so that one which a kill cut off is told from one that somebody spoiled.
BEGINNING = b'{"sequence": '
#: By what JSON's reader says: what it stops before where a word, a number or an escaped letter is cut off.
UNENDED = {
    "Expecting value": re.compile(r"t(ru?)?|f(a(ls?)?)?|nu?l?|-"),
    "Expecting ',' delimiter": re.compile(r"\.|[eE][+-]?"),
    "Invalid \\uXXXX escape": re.compile(r"\\?u?[0-9a-fA-F]{0,4}"),
}
#: Reads that are shown; the file has all.
N_SHOWN = 3


def ledger_path(splits: Path) -> Path:
    """Return where the ledger of a split lies: beside it, in git, since it names nobody."""
    return splits.with_name(NAME)


def append_entry(path: Path, kind: EntryKind, facts: Mapping[str, Any]) -> LedgerEntry:
    """Add an entry. It is on the disk when this returns: a kill afterwards does not undo it.

    Args:
        path: The ledger; made when missing.
        kind: What the entry tells of.
        facts: What JSON can hold.

    Returns:
        The entry.

    Raises:
        ArtifactError: When a line of the ledger was changed, taken out or put in: nothing is built on that.
        MachineError: When the machine can't write it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        blame_machine(error, path.parent)
        raise
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        entries = read_ledger(path)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        entry = seal(len(entries) + 1, at, kind, facts, entries[-1].sha256 if entries else FIRST)
        _write_all(
            file, _make_room(file, path.read_bytes()) + json.dumps(entry._asdict(), allow_nan=False).encode() + b"\n"
        )
        os.fsync(file)
    except OSError as error:
        blame_machine(error, path.parent)
        raise
    finally:
        os.close(file)
    return entry


def note_read(path: Path, facts: Mapping[str, object]) -> None:
    """Add an entry before the test set is read.

    Args:
        path: The ledger; made when missing.
        facts: Who reads what: step, run, bundle, test set, code; `test_patients`, by pseudonym, where they are known.

    Raises:
        ArtifactError: When the ledger was altered.
        MachineError: When the machine can't write it.
    """
    append_entry(path, EntryKind.TEST_READ, facts)


def read_ledger(path: Path) -> tuple[LedgerEntry, ...]:
    """Return all entries, oldest first; none when there is no ledger.

    What a kill or a full disk cut off ends the file without the end of a line, and begins as the entry that was to stand there: it tells nothing. Any
    other line that can't be read was spoiled, and what it told of must not be forgotten without a word.

    Raises:
        ArtifactError: When a line was changed, taken out or put in.
    """
    entries: list[LedgerEntry] = []
    for source in (path.with_name(READS), path):
        lines = _lines(source)
        for number, line in enumerate(lines, 1):
            entry = _parse(line.rstrip(b"\n"), source, number, len(entries) + 1)
            if entry is None:
                # Earlier versions left what was cut off, and began the next entry, which holds the chain together, on a line of its own.
                is_spoiled = number == len(lines) and line.endswith(b"\n")
                if is_spoiled or not _is_cut_off(line.rstrip(b"\n"), source, len(entries) + 1):
                    raise _altered(source, number, "to be an entry or the beginning of one, found neither")
                continue
            previous = entries[-1].sha256 if entries else FIRST
            if entry.previous != previous or entry.sequence != len(entries) + 1:
                raise _altered(source, number, "to follow the one before it, found that one changed or gone")
            if source.name != READS and entry.sha256 != digest_of_entry(entry):
                raise _altered(source, number, "as it was written, found it changed")
            entries.append(entry)
    return tuple(entries)


def describe_ledger(path: Path) -> tuple[str, ...]:
    """Say how often the test set was read, and by whom last."""
    reads = [entry for entry in read_ledger(path) if entry.kind is EntryKind.TEST_READ]
    if not reads:
        return ("test set: never read",)
    last = (
        f"  {entry.at} by {entry.facts['step']} for run {entry.facts['run_id'] or '(none)'}: "
        f"{entry.facts['n_cases']} cases, set {entry.facts['test_set_sha256']:.12}"
        for entry in reads[-N_SHOWN:]
    )
    return (f"test set: read {len(reads)} times, last", *last)


def _lines(path: Path) -> list[bytes]:
    """Return the lines that hold something, each with its end where it has one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = (line + b"\n" for line in content.split(b"\n"))
    return [line for line in (*list(lines)[:-1], content.rpartition(b"\n")[2]) if line.strip(b"\n")]


def _make_room(file: int, written: bytes) -> bytes:
    """Take away what was cut off at a ledger's end, and return what must stand before the next entry: the end of a whole line that lacks it."""
    last = written.rpartition(b"\n")[2]
    if not last:
        return b""
    try:
        json.loads(last)
    except (ValueError, RecursionError):
        os.ftruncate(file, len(written) - len(last))
        return b""
    return b"\n"


def _parse(line: bytes, source: Path, number: int, sequence: int) -> LedgerEntry | None:
    """Read a line of today or of before; None for one that is no JSON."""
    try:
        content = json.loads(line, object_pairs_hook=unique_pairs)
    except DuplicateKeyError as error:
        raise _altered(source, number, f"to say each thing once, found {error}") from error
    except (ValueError, RecursionError):
        return None
    try:
        if source.name == READS:
            facts = {key: value for key, value in content.items() if key not in {"at", "previous"}}
            digest = hashlib.sha256(line).hexdigest()
            return LedgerEntry(sequence, content["at"], EntryKind.TEST_READ, facts, content["previous"], digest)
        return LedgerEntry(**{**content, "kind": EntryKind(content["kind"])})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"Expected entry {sequence} of {source.name} to be one of this version of lesionflow, found other keys or another "
            "kind. Restore the file from git, or use the version that wrote it."
        ) from error


def _is_cut_off(line: bytes, source: Path, sequence: int) -> bool:
    """Tell whether a line is the beginning of the entry that was to stand here, or what a disk that lost power leaves of it."""
    if source.name == READS:
        return line.startswith(b"{")
    written = line.rstrip(b"\0")
    number, comma, _ = written.removeprefix(BEGINNING).partition(b",")
    if written.startswith(BEGINNING):
        fits = number == str(sequence).encode() if comma else str(sequence).encode().startswith(number)
        return fits and _begins_json(written)
    return BEGINNING.startswith(written)


def _begins_json(line: bytes) -> bool:
    """Tell whether more could be written behind a line so that it is JSON."""
    try:
        json.loads(line)
    except json.JSONDecodeError as error:
        rest = error.doc[error.pos :]
        ends = (
            pattern.fullmatch(rest) is not None for words, pattern in UNENDED.items() if error.msg.startswith(words)
        )
        return not rest or error.msg.startswith("Unterminated string") or any(ends)
    except (ValueError, RecursionError):
        return False
    return False


def _altered(source: Path, number: int, what: str) -> ArtifactError:
    return ArtifactError(
        f"Expected line {number} of {source.name} {what}. The ledger is only ever added to: restore it from git."
    )


def _write_all(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]
