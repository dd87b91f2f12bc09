"""The line of jobs: submit, claim, renew, end, cancel. Every change says what it expects to find, so that of two the first wins on any database."""

import hashlib
import json
import time
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, func, or_, select
from sqlalchemy.exc import IntegrityError

from lesionflow.jobs.fair_shares import count_before, in_turn
from lesionflow.jobs.job import Job, JobState
from lesionflow.jobs.short_transactions import reading, writing
from lesionflow.jobs.tables import JOBS

#: A job whose worker dies so often is not begun again: it may be what kills them.
MAX_ATTEMPTS = 3
#: Of so many finished jobs the time of one is told.
RECENT = 20


class Submission(NamedTuple):
    """What came of handing in a job.

    Args:
        job: The new one, or the one that was handed in under the same key before.
        is_new: Whether it is new.
        same_request: Whether what was handed in is what the job was made of.
    """

    job: Job
    is_new: bool
    same_request: bool


class JobQueue:
    """The jobs of one queue in a database that queues and services may share.

    Args:
        engine: Of `open_database`.
        name: Whose jobs: at most 255 characters.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine, self._name = engine, name

    def submit(
        self,
        order: Mapping[str, Any],
        request_sha256: str,
        *,
        job_id: str | None = None,
        idempotency_key: str | None = None,
        owner: str | None = None,
        model: str | None = None,
    ) -> Submission:
        """Accept a job: when this returns it is on disk.

        Args:
            order: What is to be done; plain values.
            request_sha256: Over all that was handed in.
            job_id: 32 hexadecimal digits; drawn when not given.
            idempotency_key: Two submissions of one owner under one key are one job.
            owner: Whose job it is, at most 32 characters; None: nobody's in particular.
            model: Which model is to do it, at most 255 characters; None: the main one.
        """
        named = "\0".join((self._name, *([owner] if owner else []), idempotency_key or ""))
        key = hashlib.sha256(named.encode()).hexdigest() if idempotency_key else None
        row = {
            "id": job_id or uuid.uuid4().hex, "queue": self._name, "state": JobState.QUEUED, "created_ms": _now_ms(),
            "idempotency_key": key, "request_sha256": request_sha256, "order_json": json.dumps(order), "attempt": 0, "cancel_requested": 0,
            "owner": owner, "model": model,
        }  # fmt: skip
        try:
            with self._writing() as connection:
                connection.execute(JOBS.insert().values(row))
        except IntegrityError:
            earlier = self._one(JOBS.c.idempotency_key == key) if key else None
            if earlier is None:
                raise
            return Submission(_job(earlier), is_new=False, same_request=earlier.request_sha256 == request_sha256)
        made = self._one(JOBS.c.id == row["id"])
        if made is None:
            raise RuntimeError("a job that was inserted is not there")
        return Submission(_job(made), is_new=True, same_request=True)

    def claim(self, worker: str, lease_s: float, model: str | None = None) -> Job | None:
        """Take the job whose turn it is of those that nobody works on; one whose worker let its lease run out counts as such.

        Owners come in turn, so that the many jobs of one keep nobody waiting; an owner's jobs come in the order that they were handed in.

        Args:
            worker: Who takes it; at most 64 characters.
            lease_s: How long it is taken for, unless `renew` is called.
            model: Only jobs that this model is to do; None: those of the main one. What somebody cancelled is ended whosever it is.

        Returns:
            The job, `RUNNING` now; None when nothing waits.
        """
        while True:
            with self._writing() as connection:
                now = _now_ms()
                unheld = or_(
                    JOBS.c.state == JobState.QUEUED,
                    and_(JOBS.c.state == JobState.RUNNING, JOBS.c.lease_until_ms < now),
                )
                free = and_(unheld, or_(JOBS.c.model == model, JOBS.c.cancel_requested == 1))
                found = connection.execute(in_turn(self._name, free)).first()
                if found is None:
                    return None
                if found.cancel_requested:
                    values = {"state": JobState.CANCELLED, "ended_ms": now, "outcome_json": "{}"}
                elif found.attempt >= MAX_ATTEMPTS:
                    outcome = {"error": {"code": "worker_died", "attempts": found.attempt}}
                    values = {"state": JobState.FAILED, "ended_ms": now, "outcome_json": json.dumps(outcome)}
                else:
                    values = {
                        "state": JobState.RUNNING, "worker": worker, "attempt": found.attempt + 1, "started_ms": now,
                        "lease_until_ms": now + int(lease_s * 1000),
                    }  # fmt: skip
                as_found = and_(
                    JOBS.c.number == found.number, JOBS.c.state == found.state, JOBS.c.attempt == found.attempt
                )
                changed = connection.execute(JOBS.update().where(as_found).values(values)).rowcount
            if changed == 1 and values["state"] == JobState.RUNNING:
                return self.get(found.id)

    def renew(self, job: Job, worker: str, lease_s: float) -> bool:
        """Keep a claimed job longer; return False when it is no longer this worker's."""
        return self._change(job, worker, {"lease_until_ms": _now_ms() + int(lease_s * 1000)})

    def end(self, job: Job, worker: str, state: JobState, outcome: Mapping[str, Any]) -> bool:
        """Say what came of a claimed job; return False when it is no longer this worker's: then the outcome is another's to say.

        Args:
            job: As `claim` gave it.
            worker: Who claimed it.
            state: `DONE`, `FAILED` or `CANCELLED`.
            outcome: Plain values.
        """
        values = {"state": state, "ended_ms": _now_ms(), "outcome_json": json.dumps(outcome), "lease_until_ms": None}
        return self._change(job, worker, values)

    def give_back(self, job: Job, worker: str) -> bool:
        """Put a claimed job back to its place in the line, as if it had not been begun: a worker that stops does so."""
        values = {"state": JobState.QUEUED, "worker": None, "lease_until_ms": None, "attempt": job.attempt - 1}
        return self._change(job, worker, values)

    def cancel(self, job_id: str) -> Job | None:
        """Cancel a job: at once while it waits, else its worker is told; one that ended stays as it is.

        Returns:
            The job as it is now; None when there is none.
        """
        mine = and_(self._mine, JOBS.c.id == job_id)
        with self._writing() as connection:
            waiting = and_(mine, JOBS.c.state == JobState.QUEUED)
            ended = {"state": JobState.CANCELLED, "ended_ms": _now_ms(), "outcome_json": "{}", "cancel_requested": 1}
            if connection.execute(JOBS.update().where(waiting).values(ended)).rowcount == 0:
                running = and_(mine, JOBS.c.state == JobState.RUNNING)
                connection.execute(JOBS.update().where(running).values(cancel_requested=1))
        return self.get(job_id)

    def get(self, job_id: str) -> Job | None:
        """Return a job of this queue, or None."""
        found = self._one(and_(self._mine, JOBS.c.id == job_id))
        return None if found is None else _job(found)

    def jobs_of(self, owner: str | None, *, before: str | None = None, limit: int = 50) -> tuple[Job, ...]:
        """Return jobs, newest first.

        Args:
            owner: Whose; None: everybody's.
            before: Only those that were accepted before this job; none when there is no such job among them.
            limit: At most so many.
        """
        which = self._mine if owner is None else and_(self._mine, JOBS.c.owner == owner)
        query = select(JOBS).order_by(JOBS.c.number.desc()).limit(limit)
        if before is not None:
            number = select(JOBS.c.number).where(which, JOBS.c.id == before).scalar_subquery()
            query = query.where(JOBS.c.number < number)
        with self._reading() as connection:
            return tuple(_job(row) for row in connection.execute(query.where(which)))

    def n_before(self, job_id: str) -> int:
        """Return how many jobs that have not ended come before one that waits, as owners come in turn and if nobody hands in any more."""
        with self._reading() as connection:
            return count_before(connection, self._name, job_id)

    def n_open(self) -> int:
        """Return how many jobs have not ended."""
        return self._count(self._open)

    def seconds_each(self) -> float | None:
        """Return the mean time of the last finished jobs from claim to end, in s; None before the first."""
        took = JOBS.c.ended_ms - JOBS.c.started_ms
        recent = (
            select(took.label("took"))
            .where(self._mine, JOBS.c.state == JobState.DONE)
            .order_by(JOBS.c.number.desc())
            .limit(RECENT)
            .subquery()
        )
        with self._reading() as connection:
            mean = connection.execute(select(func.avg(recent.c.took))).scalar()
        return None if mean is None else float(mean) / 1000

    def ended_before(self, ms: int) -> list[str]:
        """Return the ids of jobs that ended before a time."""
        with self._reading() as connection:
            return [row.id for row in connection.execute(select(JOBS.c.id).where(self._mine, JOBS.c.ended_ms < ms))]

    def erase(self, job_id: str) -> bool:
        """Remove the row of a job that ended; return False when there is none, or it has not."""
        ended = and_(self._mine, JOBS.c.id == job_id, JOBS.c.ended_ms.is_not(None))
        with self._writing() as connection:
            return connection.execute(JOBS.delete().where(ended)).rowcount == 1

    @property
    def _mine(self) -> ColumnElement[bool]:
        return JOBS.c.queue == self._name

    @property
    def _open(self) -> ColumnElement[bool]:
        return and_(self._mine, JOBS.c.state.in_([JobState.QUEUED, JobState.RUNNING]))

    def _change(self, job: Job, worker: str, values: Mapping[str, Any]) -> bool:
        claimed = and_(
            self._mine, JOBS.c.id == job.id, JOBS.c.state == JobState.RUNNING, JOBS.c.worker == worker,
            JOBS.c.attempt == job.attempt,
        )  # fmt: skip
        with self._writing() as connection:
            return connection.execute(JOBS.update().where(claimed).values(**values)).rowcount == 1

    def _one(self, which: ColumnElement[bool]) -> Row[Any] | None:
        with self._reading() as connection:
            return connection.execute(select(JOBS).where(which)).first()

    def _count(self, which: ColumnElement[bool]) -> int:
        with self._reading() as connection:
            return int(connection.execute(select(func.count()).select_from(JOBS).where(which)).scalar() or 0)

    def _writing(self) -> AbstractContextManager[Connection]:
        return writing(self._engine)

    def _reading(self) -> AbstractContextManager[Connection]:
        return reading(self._engine)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        state=JobState(row.state),
        order=json.loads(row.order_json),
        attempt=row.attempt,
        created_ms=row.created_ms,
        started_ms=row.started_ms,
        ended_ms=row.ended_ms,
        cancel_requested=bool(row.cancel_requested),
        outcome=json.loads(row.outcome_json or "{}"),
        owner=row.owner,
    )
