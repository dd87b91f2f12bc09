"""The line before the model: bounded, and honest about work that outlives its client."""

import asyncio
import threading

import pytest

from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.work_queue import WorkQueue


def test_one_runs_one_waits_and_the_third_is_refused_with_retry_after():
    async def scenario():
        queue, gate, cleaned, order = WorkQueue(1, 1), threading.Event(), [], []

        def work(name):
            gate.wait(10)
            order.append(name)
            return name

        first = asyncio.create_task(queue.run(lambda: work("a"), lambda: cleaned.append("a")))
        second = asyncio.create_task(queue.run(lambda: work("b"), lambda: cleaned.append("b")))
        await asyncio.sleep(0.05)
        with pytest.raises(RequestRefusedError) as early:
            queue.refuse_when_full()
        with pytest.raises(RequestRefusedError) as late:
            await queue.run(lambda: work("c"), lambda: cleaned.append("c"))
        assert cleaned == ["c"]
        gate.set()
        assert [await first, await second] == ["a", "b"]
        queue.refuse_when_full()
        queue.close()
        return early.value, late.value, cleaned, order, queue.n_taken

    early, late, cleaned, order, n_taken = asyncio.run(scenario())
    assert {(e.http_status, e.code, int(e.headers["Retry-After"]) > 0) for e in (early, late)} == {
        (503, "overloaded", True)
    }
    assert (cleaned, order, n_taken) == (["c", "a", "b"], ["a", "b"], 0)


def test_work_whose_client_left_keeps_its_place_until_it_has_ended():
    async def scenario():
        queue, gate, begun, cleaned = WorkQueue(1, 0), threading.Event(), threading.Event(), threading.Event()

        def work():
            begun.set()
            gate.wait(10)

        task = asyncio.create_task(queue.run(work, cleaned.set))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while_running = (queue.n_taken, cleaned.is_set())
        gate.set()
        await asyncio.to_thread(cleaned.wait, 10)
        return while_running, queue.n_taken

    assert asyncio.run(scenario()) == ((1, False), 0)


def test_work_whose_client_left_while_waiting_never_runs_and_is_cleaned_up():
    async def scenario():
        queue, gate, ran, cleaned = WorkQueue(1, 1), threading.Event(), [], []
        first = asyncio.create_task(queue.run(lambda: gate.wait(10), lambda: None))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(queue.run(lambda: ran.append(1), lambda: cleaned.append(1)))
        await asyncio.sleep(0.05)
        second.cancel()
        await asyncio.sleep(0.05)
        gate.set()
        await first
        await asyncio.sleep(0.05)
        return ran, cleaned, queue.n_taken

    assert asyncio.run(scenario()) == ([], [1], 0)


def test_an_error_in_the_work_reaches_the_client_and_frees_the_place():
    async def scenario():
        queue, cleaned = WorkQueue(1, 0), []
        with pytest.raises(ZeroDivisionError):
            await queue.run(lambda: 1 / 0, lambda: cleaned.append(1))
        return cleaned, queue.n_taken

    assert asyncio.run(scenario()) == ([1], 0)
