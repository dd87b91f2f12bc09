"""One line of the ledger: what was read, decided or changed, sealed by a digest over itself and the line before it."""

import hashlib
import json
import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

#: What stands for the line before the first.
FIRST = "0" * 64


class EntryKind(StrEnum):
    """What a line of the ledger tells of.

    `decision` and `rollback` open a change of champion; `champion` says that it was carried out, `undone` that it was not, and why.
    """

    TEST_READ = "test_read"
    REGISTERED = "registered"
    DECISION = "decision"
    CHAMPION = "champion"
    UNDONE = "undone"
    ROLLBACK = "rollback"
    BARRED = "barred"
    LIFTED = "lifted"
    WITHDRAWAL = "withdrawal"
    RETRAIN = "retrain"


class LedgerEntry(NamedTuple):
    """One line. `sha256` names it in the line after it, and in the entries that answer it.

    Examples:
        >>> one = seal(1, "2024-01-02T03:04:05+00:00", EntryKind.LIFTED, {"version": "3"}, FIRST)
        >>> two = seal(2, "2024-01-02T03:04:06+00:00", EntryKind.LIFTED, {"version": "4"}, one.sha256)
        >>> two.previous == one.sha256, two._replace(at="2023").sha256 == digest_of_entry(two._replace(at="2023"))
        (True, False)
    """

    sequence: int
    at: str
    kind: EntryKind
    facts: Mapping[str, Any]
    previous: str
    sha256: str


def seal(sequence: int, at: str, kind: EntryKind, facts: Mapping[str, Any], previous: str) -> LedgerEntry:
    """Make an entry whose digest covers all that it says.

    Args:
        sequence: Its number, from 1.
        at: When, in UTC, by ISO 8601.
        kind: What it tells of.
        facts: What JSON can hold; figures that are not finite become null.
        previous: The digest of the entry before it.
    """
    entry = LedgerEntry(sequence, at, kind, plain_facts(facts), previous, "")
    return entry._replace(sha256=digest_of_entry(entry))


def digest_of_entry(entry: LedgerEntry) -> str:
    """Return the sha256 over everything that an entry says but its own digest."""
    return digest_of_link({key: value for key, value in entry._asdict().items() if key != "sha256"})


def digest_of_link(said: Mapping[str, Any]) -> str:
    """Return the sha256 over what a link of a chain says, the digest of the one before it among that.

    Args:
        said: What JSON can hold.
    """
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def plain_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as JSON gives them back: tuples as lists, numbers of numpy as Python's, what is not finite as null."""
    return {str(key): _plain(value) for key, value in facts.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return plain_facts(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)
