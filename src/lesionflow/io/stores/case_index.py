"""What `ingest` knows of each study it has seen, in the folder of cases: so that only what is new or changed is read."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lesionflow.io.files import sha256_file, write_text
from lesionflow.machine.faults import blame_machine

INDEX = "index.json"


class Entry(NamedTuple):
    """What is known of a case that was read, or refused: its key, row, hashes of its files, refusal, and (code, message) of its notes."""

    key: str
    row: dict[str, Any]
    files: dict[str, str]
    refusal: dict[str, str]
    notes: tuple[tuple[str, str], ...] = ()


def read_case_index(folder: Path) -> dict[str, Entry]:
    """Read the folder's index; an absent or broken one is empty, so that every study is read again."""
    try:
        content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return {case_id: _entry(**entry) for case_id, entry in content.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        blame_machine(error)
        return {}


def _entry(notes: Iterable[tuple[str, str]] = (), **entry: Any) -> Entry:
    """Return what JSON gave; notes are tuples again, and absent in indexes of 0.1."""
    return Entry(**entry, notes=tuple((code, message) for code, message in notes))


def write_case_index(folder: Path, index: Mapping[str, Entry]) -> None:
    """Write the folder's index."""
    content = {case_id: index[case_id]._asdict() for case_id in sorted(index)}
    write_text(folder / INDEX, json.dumps(content, indent=1, sort_keys=True) + "\n")


def harmed_files(folder: Path, entry: Entry) -> tuple[str, ...]:
    """Return the case's files that are missing or hold other bytes than the index names."""
    return tuple(f for f, digest in entry.files.items() if not _is_intact(folder / f, digest))


def _is_intact(path: Path, digest: str) -> bool:
    return path.is_file() and sha256_file(path) == digest
