"""What is done with open requests once the service is told to stop: each is answered in time, and none holds the service up. What becomes of jobs, `jobs.workers` knows, not this."""

import asyncio
import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from lesionflow.jobs.job import Job, JobState

#: Between the last honest answer and the end of what is still open, as an upload that creeps.
GRACE_S = 3.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Drain:
    """Knows whether the service was told to stop, and until when it may go on.

    Args:
        seconds: How long from then.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._until = seconds, math.inf
        self._open: set[asyncio.Task[object]] = set()

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._until < math.inf

    def left_s(self, job: Job | None = None) -> float:
        """Return for how long a client may be kept waiting, in s: for the end of a job in work until the time is over, for one that will not be begun any more not at all."""
        if not self.stopping:
            return math.inf
        waits = job is not None and job.state is JobState.QUEUED
        return 0.0 if waits else max(0.0, self._until - time.monotonic())

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """Know of a request while it is open."""
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
        try:
            yield
        finally:
            self._open.discard(task)

    def watch(self, told: Callable[[], None]) -> None:
        """Be told of the signals that end the service, before the server that handles them: it waits for every open request.

        Args:
            told: Called in the event loop, once.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            former = signal.getsignal(number)

            def handle(given: int, frame: FrameType | None, former: object = former) -> None:
                # Not here: whatever the main thread holds, it holds still.
                loop.call_soon_threadsafe(self.begin, told)
                if callable(former):
                    former(given, frame)

            signal.signal(number, handle)

    def begin(self, told: Callable[[], None]) -> None:
        """Count from now; called in the event loop."""
        if self.stopping:
            return
        self._until = time.monotonic() + self._seconds
        asyncio.get_running_loop().call_later(self._seconds + GRACE_S, self._cut)
        told()

    def _cut(self) -> None:
        for task in self._open:
            task.cancel()
