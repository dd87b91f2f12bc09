"""The audit trail: who made and revoked keys, handed studies in, fetched and cancelled them. Rows are only added, never changed, and chained as the ledger's lines are."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Engine, Row, select
from sqlalchemy.exc import IntegrityError

from lesionflow.data.ledger import FIRST, digest_of_link, plain_facts
from lesionflow.errors import ArtifactError, ConflictError
from lesionflow.jobs.short_transactions import reading, writing
from lesionflow.jobs.tables import AUDIT

#: How often a row is tried when others write theirs at the same time.
MAX_TRIES = 20


class AuditKind(StrEnum):
    """What a row tells of."""

    KEY_ADDED = "key_added"
    KEY_REVOKED = "key_revoked"
    ACCEPTED = "accepted"
    CANCELLED = "cancelled"
    FETCHED = "fetched"
    ERASED = "erased"


class AuditEntry(NamedTuple):
    """One row. `sha256` is over all else that it says, and stands in the row after it as `previous`."""

    sequence: int
    at: str
    kind: AuditKind
    facts: Mapping[str, Any]
    previous: str
    sha256: str

    def digest(self) -> str:
        """Return the digest that it should have."""
        return digest_of_link({key: value for key, value in self._asdict().items() if key != "sha256"})


class AuditTrail:
    """The trail in a database.

    Args:
        engine: Of `open_database`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def append(self, kind: AuditKind, facts: Mapping[str, Any]) -> None:
        """Add a row; it is on disk when this returns.

        Args:
            kind: What it tells of.
            facts: Ids and names of keys and jobs; nothing of a study.

        Raises:
            ConflictError: When others always were faster.
            ServiceError: When the database does not answer.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        for _ in range(MAX_TRIES):
            try:
                with writing(self._engine) as connection:
                    last = connection.execute(select(AUDIT).order_by(AUDIT.c.sequence.desc()).limit(1)).first()
                    sequence, previous = (1, FIRST) if last is None else (last.sequence + 1, last.sha256)
                    entry = AuditEntry(sequence, at, kind, plain_facts(facts), previous, "")
                    row = {**entry._asdict(), "sha256": entry.digest(), "facts_json": json.dumps(entry.facts)}
                    connection.execute(AUDIT.insert().values({column.name: row[column.name] for column in AUDIT.c}))
            except IntegrityError:
                continue
            return
        raise ConflictError(f"Expected to write to the audit trail, found others faster {MAX_TRIES} times. Try again.")

    def entries(self) -> Iterator[AuditEntry]:
        """Yield all rows, oldest first.

        Raises:
            ArtifactError: When a row was changed, taken out or put in. Rows taken off the end do not show: keep the last digest elsewhere.
        """
        previous, sequence = FIRST, 0
        with reading(self._engine) as connection:
            for row in connection.execute(select(AUDIT).order_by(AUDIT.c.sequence)):
                entry, sequence = _entry(row), sequence + 1
                sealed = None if entry is None else (entry.sequence, entry.previous, entry.sha256)
                if entry is None or sealed != (sequence, previous, entry.digest()):
                    raise ArtifactError(
                        f"Expected row {sequence} of the audit trail as it was written, after the one before it, found it changed. "
                        "Compare with a backup of the database of jobs."
                    )
                previous = entry.sha256
                yield entry


def _entry(row: Row[Any]) -> AuditEntry | None:
    """Return a row as it was sealed; None when it holds what never was."""
    try:
        facts, kind = json.loads(row.facts_json), AuditKind(row.kind)
    except ValueError:
        return None
    return AuditEntry(row.sequence, row.at, kind, facts, row.previous, row.sha256)
