"""Whose turn it is: of all who have jobs in a line, the one whose last job was begun longest ago, so that a thousand studies of one client never keep another's waiting.

Within one owner's jobs the first handed in is the first begun. Jobs of nobody in particular are one owner's.
"""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, select, union_all

from lesionflow.jobs.job import JobState
from lesionflow.jobs.tables import JOBS

OPEN = (JobState.QUEUED, JobState.RUNNING)


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


def in_turn(queue: str, free: ColumnElement[bool]) -> Select[Any]:
    """Return the query of the job whose turn it is.

    Args:
        queue: The line.
        free: Which jobs of it may be begun.
    """
    # A state at a time, so that the index of the line is taken: ended jobs are many more.
    line = union_all(
        *(
            select(JOBS.c.owner, JOBS.c.number).where(JOBS.c.queue == queue, JOBS.c.state == state, free)
            for state in OPEN
        )
    ).subquery()
    firsts = select(line.c.owner, func.min(line.c.number).label("number")).group_by(line.c.owner).subquery()
    query = select(JOBS).join(firsts, JOBS.c.number == firsts.c.number)
    return query.order_by(_last_ms(queue, firsts.c.owner), firsts.c.number).limit(1)


def count_before(connection: Connection, queue: str, job_id: str) -> int:
    """Return how many jobs are in work or begun before one that waits, if nobody hands in any more.

    Args:
        connection: A transaction that reads.
        queue: The line.
        job_id: Which job; of one that does not wait, 0.
    """
    mine, waiting = JOBS.c.queue == queue, JOBS.c.state == JobState.QUEUED
    columns = (JOBS.c.owner, JOBS.c.number, JOBS.c.model)
    asked = connection.execute(select(*columns).where(mine, waiting, JOBS.c.id == job_id)).first()
    if asked is None:
        return 0
    # Each model has workers of its own: the jobs of another keep nobody waiting.
    mine = and_(mine, JOBS.c.model == asked.model)
    of_owner = JOBS.c.owner.is_not_distinct_from(asked.owner)
    before = select(func.count()).select_from(JOBS).where(mine, waiting, of_owner, JOBS.c.number < asked.number)
    n_own = int(connection.execute(before).scalar() or 0)
    parts = _parts(connection, queue, asked.model)
    own = parts[asked.owner]
    n_before = n_own + sum(one.n_running for one in parts.values())
    for owner, one in parts.items():
        if owner != asked.owner:
            is_first = (one.last_ms, one.first) < (own.last_ms, own.first)
            n_before += min(one.n_waiting, n_own + is_first)
    return n_before


def _parts(connection: Connection, queue: str, model: str | None) -> dict[str | None, OwnersPart]:
    waits = JOBS.c.state == JobState.QUEUED
    line = (
        select(
            JOBS.c.owner,
            func.coalesce(func.min(case((waits, JOBS.c.number))), 0).label("first"),
            func.sum(case((waits, 1), else_=0)).label("n_waiting"),
            func.sum(case((waits, 0), else_=1)).label("n_running"),
        )
        .where(JOBS.c.queue == queue, JOBS.c.model == model, JOBS.c.state.in_(OPEN))
        .group_by(JOBS.c.owner)
        .subquery()
    )
    query = select(line.c.owner, _last_ms(queue, line.c.owner), line.c.first, line.c.n_waiting, line.c.n_running)
    return {owner: OwnersPart(*map(int, figures)) for owner, *figures in connection.execute(query)}


def _last_ms(queue: str, owner: ColumnElement[Any]) -> ColumnElement[int]:
    """Return when the last job of an owner was begun, which the index `ix_jobs_served` knows; 0 when none was."""
    served = JOBS.alias()
    last = select(func.max(served.c.started_ms)).where(
        served.c.queue == queue, served.c.owner.is_not_distinct_from(owner)
    )
    return func.coalesce(last.scalar_subquery(), 0)
