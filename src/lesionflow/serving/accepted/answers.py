"""What a client is told of a job, and how one waits for its end."""

import asyncio
import contextlib
import datetime as dt
import threading
from typing import Any

from anyio import to_thread

from lesionflow.jobs.job import Job, JobState
from lesionflow.jobs.queue import JobQueue
from lesionflow.serving.drain import Drain
from lesionflow.serving.problems import RequestRefusedError

#: A job that another process ends is seen so late.
POLL_S = 1.0
#: No proxy leaves a request open longer.
MAX_WAIT_S = 600.0


class Waiters:
    """Clients that wait for the end of jobs; the workers' threads wake them.

    Args:
        drain: Of the service: once it is told to stop, nobody waits longer than it goes on.
    """

    def __init__(self, drain: Drain) -> None:
        self._drain = drain
        self._waiting: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}
        self._lock = threading.Lock()

    def wake(self, job_id: str) -> None:
        """Tell those who wait that a job ended; called from any thread."""
        with self._lock:
            waiting = self._waiting.pop(job_id, [])
        for loop, event in waiting:
            loop.call_soon_threadsafe(event.set)

    def wake_all(self) -> None:
        """Have all who wait look anew."""
        with self._lock:
            waiting = list(self._waiting)
        for job_id in waiting:
            self.wake(job_id)

    async def wait(self, queue: JobQueue, job: Job, seconds: float) -> Job:
        """Wait for a job's end, at most so long, and no longer than a service that stops goes on; return it as it is then."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not job.state.ended and (left := min(until - loop.time(), self._drain.left_s(job))) > 0:
            event = asyncio.Event()
            with self._lock:
                self._waiting.setdefault(job.id, []).append((loop, event))
            # It may have ended before anybody knew that somebody waits.
            job = await _now(queue, job)
            if not job.state.ended:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), min(POLL_S, left))
                job = await _now(queue, job)
            self._leave(job.id, event)
        return job

    def _leave(self, job_id: str, event: asyncio.Event) -> None:
        with self._lock:
            left = [pair for pair in self._waiting.pop(job_id, []) if pair[1] is not event]
            if left:
                self._waiting[job_id] = left


async def _now(queue: JobQueue, job: Job) -> Job:
    found: Job | None = await to_thread.run_sync(queue.get, job.id)
    return found or job


def describe_job(queue: JobQueue, job: Job) -> dict[str, Any]:
    """Return what a client is told of a job: state, place in the line, times, links, and why it failed."""
    told: dict[str, Any] = {"id": job.id, "state": job.state, "created": _time(job.created_ms)}
    if job.state is JobState.QUEUED:
        told["n_before"] = queue.n_before(job.id)
    for name, at in (("started", job.started_ms), ("ended", job.ended_ms)):
        if at is not None:
            told[name] = _time(at)
    if job.cancel_requested:
        told["cancel_requested"] = True
    told["links"] = {"self": f"/v1/jobs/{job.id}", "events": f"/v1/jobs/{job.id}/events"}
    if job.state is JobState.DONE:
        told["links"] |= {"report": f"/v1/results/{job.id}/report", "mask": f"/v1/results/{job.id}/mask"}
    if job.state is JobState.FAILED:
        told["error"] = failure_of(job)
    return told


def failure_of(job: Job) -> dict[str, Any]:
    """Return status, code and detail of why a job failed."""
    error = dict(job.outcome.get("error", {}))
    if error.get("code") == "worker_died":
        detail = f"The service died {error['attempts']} times while it worked on this study, and does not try again. Tell its operator this id: {job.id}."
        return {"status": 500, "code": "worker_died", "detail": detail}
    return {"status": 500, "detail": "The service failed; its log says why.", **error}


def raise_unless_done(job: Job) -> None:
    """Raise what a client that waited is told of a job that is not `DONE`.

    Raises:
        RequestRefusedError: As the job failed; 409 `cancelled`; 503 `still_running`.
    """
    if job.state is JobState.FAILED:
        error = failure_of(job)
        headers = {"Retry-After": "15"} if error["status"] in (503, 507) else {}
        raise RequestRefusedError(error["detail"], status=error["status"], code=error["code"], headers=headers)
    if job.state is JobState.CANCELLED:
        raise RequestRefusedError("Expected a result, found that the job was cancelled.", status=409, code="cancelled")
    if job.state is not JobState.DONE:
        detail = f"The study is still in work: its result will be at /v1/jobs/{job.id}."
        raise RequestRefusedError(detail, status=503, code="still_running", headers={"Retry-After": "30"})


def _time(ms: int) -> str:
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).isoformat(timespec="milliseconds")
