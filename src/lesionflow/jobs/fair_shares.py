"""Whose turn it is: of all who have jobs in a line, the one whose last job was begun longest ago, so that a thousand studies of one client never keep another's waiting.

Within one owner's jobs the first handed in is the first begun. Jobs of nobody in particular are one owner's.
"""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from lesionflow.jobs.job import JobState
from lesionflow.jobs.tables import JOBS


class OwnersPart(NamedTuple):
    """What one owner has of the line.

    Args:
        last_ms: When the last job was begun; 0 when none was.
        first: The number of the first job that waits.
        n_waiting: How many wait.
        n_running: How many are in work.
    """

    last_ms: int
    first: int
    n_waiting: int
    n_running: int


def in_turn(mine: ColumnElement[bool], free: ColumnElement[bool]) -> Select[Any]:
    """Return the query of the job whose turn it is.

    Args:
        mine: Which jobs are of the line, ended ones too.
        free: Which of them may be begun.
    """
    served = select(JOBS.c.owner, func.max(JOBS.c.started_ms).label("last")).where(mine).group_by(JOBS.c.owner)
    last = served.subquery()
    both = JOBS.join(last, JOBS.c.owner.is_not_distinct_from(last.c.owner))
    return (
        select(JOBS).select_from(both).where(mine, free).order_by(func.coalesce(last.c.last, 0), JOBS.c.number).limit(1)
    )


def count_before(connection: Connection, mine: ColumnElement[bool], job_id: str) -> int:
    """Return how many jobs are in work or begun before one that waits, if nobody hands in any more.

    Args:
        connection: A transaction that reads.
        mine: Which jobs are of the line.
        job_id: Which job; of one that does not wait, 0.
    """
    waiting = JOBS.c.state == JobState.QUEUED
    asked = connection.execute(select(JOBS.c.owner, JOBS.c.number).where(mine, waiting, JOBS.c.id == job_id)).first()
    if asked is None:
        return 0
    of_owner = JOBS.c.owner.is_not_distinct_from(asked.owner)
    before = select(func.count()).select_from(JOBS).where(mine, waiting, of_owner, JOBS.c.number < asked.number)
    n_own = int(connection.execute(before).scalar() or 0)
    parts = _parts(connection, mine)
    own = parts[asked.owner]
    n_before = n_own + sum(one.n_running for one in parts.values())
    for owner, one in parts.items():
        if owner != asked.owner:
            is_first = (one.last_ms, one.first) < (own.last_ms, own.first)
            n_before += min(one.n_waiting, n_own + is_first)
    return n_before


def _parts(connection: Connection, mine: ColumnElement[bool]) -> dict[str | None, OwnersPart]:
    waits, runs = JOBS.c.state == JobState.QUEUED, JOBS.c.state == JobState.RUNNING
    query = (
        select(
            JOBS.c.owner,
            func.coalesce(func.max(JOBS.c.started_ms), 0),
            func.coalesce(func.min(case((waits, JOBS.c.number))), 0),
            func.sum(case((waits, 1), else_=0)),
            func.sum(case((runs, 1), else_=0)),
        )
        .where(mine)
        .group_by(JOBS.c.owner)
    )
    return {owner: OwnersPart(*map(int, figures)) for owner, *figures in connection.execute(query)}
