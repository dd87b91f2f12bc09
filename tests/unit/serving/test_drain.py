"""A service that stops answers whoever waits, and holds open nothing for ever."""

import asyncio
import math
import os
import signal
import types

import pytest

from lesionflow.jobs.job import Job, JobState
from lesionflow.serving import drain as drains
from lesionflow.serving.accepted.answers import Waiters
from lesionflow.serving.drain import Drain


def job(state):
    return Job(
        id="a" * 32, state=state, order={}, attempt=1, created_ms=0, started_ms=None, ended_ms=None,
        cancel_requested=False, outcome={},
    )  # fmt: skip


@pytest.fixture
def handlers():
    kept = {number: signal.getsignal(number) for number in drains.SIGNALS}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_a_signal_is_told_once_and_reaches_whoever_handled_it_before(handlers):
    told, former = [], []
    signal.signal(signal.SIGTERM, lambda number, _: former.append(number))

    async def scenario():
        drain = Drain(5.0)
        drain.watch(lambda: told.append(drain.left_s()))
        assert (drain.stopping, drain.left_s()) == (False, math.inf)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.01)
        assert drain.stopping

    asyncio.run(scenario())
    assert former == [signal.SIGTERM] * 2
    assert len(told) == 1
    assert 0 < told[0] <= 5.0


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_nobody_waits_for_what_will_not_be_begun(state):
    queue = types.SimpleNamespace(get=lambda _: job(state))

    async def scenario():
        drain = Drain(0.2)
        waiters = Waiters(drain)
        waiting = asyncio.create_task(waiters.wait(queue, job(state), 600))
        await asyncio.sleep(0.05)
        drain.begin(waiters.wake_all)
        left = {waiting} if state is JobState.QUEUED else set()
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert done == left, "a job in work may end in time, one in the line will not"
        return await asyncio.wait_for(waiting, 5)

    assert asyncio.run(scenario()).state is state


def test_what_is_still_open_at_the_end_is_ended(monkeypatch):
    monkeypatch.setattr(drains, "GRACE_S", 0.05)

    async def creeping(drain):
        with drain.request():
            await asyncio.sleep(3600)

    async def scenario():
        drain = Drain(0.05)
        upload = asyncio.create_task(creeping(drain))
        await asyncio.sleep(0)
        drain.begin(lambda: None)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(upload, 10)

    asyncio.run(scenario())
