"""Threads that claim jobs, work on them and say what came of it; a heartbeat keeps each claimed, and halts what nobody wants any more."""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from lesionflow.errors import ServiceError
from lesionflow.jobs.job import Job, JobState
from lesionflow.jobs.queue import JobQueue

#: A worker that is silent for so long counts as dead, and its job is another's. Renewed three times within it.
LEASE_S = 15.0
#: How long nothing is asked when nothing waits; `wake` shortens it.
IDLE_S = 1.0
#: How often it is seen whether a job in work was cancelled.
LOOK_S = 0.5
logger = logging.getLogger(__name__)


class JobEnd(NamedTuple):
    """What work on a job comes to: `DONE`, `FAILED` or, where it was halted, `CANCELLED`; and plain values."""

    state: JobState
    values: Mapping[str, Any]


class Workers:
    """Works on the jobs of a queue until it is stopped.

    Args:
        queue: Whose jobs.
        work: Does a job; what it raises fails the job, so it should raise nothing that it can say better. Called in several threads. Its second
            argument is set when nobody wants the job any more: it was cancelled, is another's, or is given back.
        ended: Told of each job that ended here, in the thread that ended it.
        n: Threads.
        may_begin: Whether a job may be claimed now: a model that is not loaded yet holds them.
        lease_s: See `LEASE_S`.
        further: Models beside the main one, by name, and whether a job for each may be claimed now: each has a thread of its own that claims no other's.
    """

    def __init__(
        self,
        queue: JobQueue,
        work: Callable[[Job, threading.Event], JobEnd],
        *,
        ended: Callable[[str], None],
        n: int,
        may_begin: Callable[[], bool],
        lease_s: float = LEASE_S,
        further: Mapping[str, Callable[[], bool]] | None = None,
    ) -> None:
        self._queue, self._work, self._ended, self._lease_s = queue, work, ended, lease_s
        host = socket.gethostname()[:24]
        self._me = f"{host}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
        self._stopping, self._over, self._new = threading.Event(), threading.Event(), threading.Condition()
        self._held: dict[str, tuple[Job, threading.Event]] = {}
        lines: list[tuple[str | None, Callable[[], bool]]] = [(None, may_begin)] * n + list((further or {}).items())
        self._threads = [
            threading.Thread(target=self._loop, args=line, name=f"job-{i}", daemon=True) for i, line in enumerate(lines)
        ]
        self._threads.append(threading.Thread(target=self._beat, name="job-heartbeat", daemon=True))

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Say that a job came."""
        with self._new:
            # Of all, as the one that wakes first may be another model's.
            self._new.notify_all()

    def begin_no_more(self) -> None:
        """Claim no more; what runs goes on."""
        self._stopping.set()
        with self._new:
            self._new.notify_all()

    def stop(self, wait_s: float) -> None:
        """Claim no more; what runs may end within a time, else it is given back, and the next service does it.

        Args:
            wait_s: How long.
        """
        self.begin_no_more()
        until = time.monotonic() + wait_s
        for thread in self._threads[:-1]:
            thread.join(max(0.0, until - time.monotonic()))
        self._over.set()
        held = tuple(self._held.values())
        for job, _ in held:
            self._safely(partial(self._queue.give_back, job, self._me))
        for _, halt in held:
            halt.set()

    def _loop(self, model: str | None, may_begin: Callable[[], bool]) -> None:
        claim = partial(self._queue.claim, self._me, self._lease_s, model)
        while not self._stopping.is_set():
            claimed = self._safely(claim) if may_begin() else None
            if claimed is None:
                with self._new:
                    if not self._stopping.is_set():
                        self._new.wait(IDLE_S)
                continue
            halt = threading.Event()
            self._held[claimed.id] = claimed, halt
            try:
                self._do(claimed, halt)
            finally:
                self._held.pop(claimed.id, None)

    def _do(self, job: Job, halt: threading.Event) -> None:
        try:
            state, values = self._work(job, halt)
        except Exception:
            # Without keys the whole id is the key to a result.
            logger.exception("job %.8s... failed", job.id)
            state, values = JobState.FAILED, {"error": {"code": "internal_error"}}
        now = self._safely(lambda: self._queue.get(job.id))
        if now is not None and now.cancel_requested:
            state, values = JobState.CANCELLED, {}
        # A database that is away for a while costs no result: the job is ended when it is back, or another's by then.
        while not self._over.is_set():
            ended = self._safely(lambda: self._queue.end(job, self._me, state, values))
            if ended is not None:
                if not ended:
                    logger.warning(
                        "job %.8s... was another's when it ended here; what came of it here is dropped", job.id
                    )
                self._ended(job.id)
                return
            self._over.wait(IDLE_S)

    def _beat(self) -> None:
        every = self._lease_s / 3
        renewed = time.monotonic()
        while not self._over.wait(min(every, LOOK_S)):
            due = time.monotonic() - renewed >= every
            for job, halt in tuple(self._held.values()):
                if due and self._safely(partial(self._queue.renew, job, self._me, self._lease_s)) is False:
                    halt.set()
                now = self._safely(partial(self._queue.get, job.id))
                if now is not None and now.cancel_requested:
                    halt.set()
            renewed = time.monotonic() if due else renewed

    @staticmethod
    def _safely(ask: Callable[[], Any]) -> Any:
        """Return what the database says; None, and a line in the log, when it does not answer."""
        try:
            return ask()
        except ServiceError as error:
            logger.warning("%s", error)
            return None
