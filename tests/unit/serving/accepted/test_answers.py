"""What is said of a job, and waiting for its end."""

import asyncio
import types

import pytest

from lesionflow.jobs.job import Job, JobState
from lesionflow.serving.accepted.answers import Waiters, describe_job, raise_unless_done
from lesionflow.serving.drain import Drain
from lesionflow.serving.problems import RequestRefusedError


def job(state, **more):
    facts = {
        "order": {},
        "attempt": 1,
        "created_ms": 0,
        "started_ms": None,
        "ended_ms": None,
        "cancel_requested": False,
        "outcome": {},
    }
    return Job(id="a" * 32, state=state, **{**facts, **more})


def test_times_are_utc_and_links_are_there_when_they_lead_somewhere():
    told = describe_job(None, job(JobState.DONE, created_ms=1_700_000_000_123, ended_ms=1_700_000_001_000))
    assert (told["created"], told["ended"]) == ("2023-11-14T22:13:20.123+00:00", "2023-11-14T22:13:21.000+00:00")
    assert set(told["links"]) == {"self", "events", "report", "mask"}
    queue = types.SimpleNamespace(n_before=lambda _: 3)
    waiting = describe_job(queue, job(JobState.QUEUED))
    assert (waiting["n_before"], set(waiting["links"]), "started" in waiting) == (3, {"self", "events"}, False)


@pytest.mark.parametrize(("made", "status", "code"), [
    (job(JobState.CANCELLED), 409, "cancelled"), (job(JobState.RUNNING), 503, "still_running"),
    (job(JobState.FAILED, outcome={"error": {"status": 422, "code": "missing_slice", "detail": "d"}}), 422, "missing_slice"),
    (job(JobState.FAILED, outcome={"error": {"code": "worker_died", "attempts": 3}}), 500, "worker_died"),
    (job(JobState.FAILED, outcome={"error": {"code": "internal_error"}}), 500, "internal_error"),
])  # fmt: skip
def test_who_waited_is_told_what_became_of_it(made, status, code):
    with pytest.raises(RequestRefusedError) as error:
        raise_unless_done(made)
    assert (error.value.http_status, error.value.code) == (status, code)
    raise_unless_done(job(JobState.DONE))


def test_who_waits_is_woken_by_the_end_and_by_nothing_else():
    """Also where the end came from another process, which wakes nobody here."""
    states = iter([JobState.RUNNING, JobState.RUNNING, JobState.DONE])
    queue, waiters = types.SimpleNamespace(get=lambda _: job(next(states))), Waiters(Drain(1.0))

    async def scenario():
        waiting = asyncio.create_task(waiters.wait(queue, job(JobState.QUEUED), 20))
        await asyncio.sleep(0.05)
        waiters.wake("another")
        waiters.wake("a" * 32)
        return await waiting

    assert asyncio.run(scenario()).state is JobState.DONE
    assert waiters._waiting == {}


def test_a_wait_that_is_over_gives_the_job_as_it_is():
    queue, waiters = types.SimpleNamespace(get=lambda _: job(JobState.RUNNING)), Waiters(Drain(1.0))
    assert asyncio.run(waiters.wait(queue, job(JobState.QUEUED), 0.05)).state is JobState.RUNNING
    assert waiters._waiting == {}
