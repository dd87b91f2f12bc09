"""One job, as everybody but the database sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class JobState(StrEnum):
    """Where a job stands; it leaves `DONE`, `FAILED` and `CANCELLED` never again."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to the job any more."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of accepted work.

    Args:
        id: 32 hexadecimal digits that nobody can guess.
        state: Where it stands.
        order: What is to be done, as the submitter wrote it.
        attempt: How often it was begun; told with each claim, so that a worker that was given up can't end it.
        created_ms: When it was accepted, in ms since 1970.
        started_ms: When it was last begun.
        ended_ms: When it ended.
        cancel_requested: Whether somebody asked for its end while it ran.
        outcome: What came of it; empty before the end.
        owner: Whose job it is; None: nobody's in particular.
    """

    id: str
    state: JobState
    order: Mapping[str, Any]
    attempt: int
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    cancel_requested: bool
    outcome: Mapping[str, Any]
    owner: str | None = None
