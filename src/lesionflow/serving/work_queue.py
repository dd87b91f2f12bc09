"""Turns for the worker threads: a bounded line, so that an overload is answered at once, memory never runs out."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from lesionflow.serving.problems import RequestRefusedError

ResultT = TypeVar("ResultT")
RETRY_AFTER_S = 30


class WorkQueue:
    """Runs blocking work in threads of its own.

    A place is taken until the work has truly ended, even when its client is long gone.

    Args:
        max_concurrent: Pieces of work at once.
        max_waiting: Pieces that may wait.
    """

    def __init__(self, max_concurrent: int, max_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(max_concurrent, thread_name_prefix="segment")
        self._capacity = max_concurrent + max_waiting
        self._n_taken = 0
        self._lock = threading.Lock()

    @property
    def n_taken(self) -> int:
        """Pieces of work running or waiting."""
        return self._n_taken

    def refuse_when_full(self) -> None:
        """Refuse before an upload is read.

        Raises:
            RequestRefusedError: 503 `overloaded` with `Retry-After`.
        """
        if self._n_taken >= self._capacity:
            raise _overloaded()

    async def run(self, work: Callable[[], ResultT], cleanup: Callable[[], None]) -> ResultT:
        """Wait for a turn, run the work in a thread and return what it returns.

        Args:
            work: What to do; runs at most once.
            cleanup: Called exactly once, after the work, or without it when it is refused or its client has gone.

        Raises:
            RequestRefusedError: 503 `overloaded`.
        """
        with self._lock:
            if self._n_taken >= self._capacity:
                cleanup()
                raise _overloaded()
            self._n_taken += 1

        def end(_: Future[ResultT]) -> None:
            with self._lock:
                self._n_taken -= 1
            cleanup()

        future = self._pool.submit(work)
        future.add_done_callback(end)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop what waits; let what runs end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _overloaded() -> RequestRefusedError:
    message = f"Expected a free place in the line, found none. Try again in {RETRY_AFTER_S} s."
    return RequestRefusedError(message, status=503, code="overloaded", headers={"Retry-After": str(RETRY_AFTER_S)})
