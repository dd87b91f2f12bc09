"""`GET /v1/jobs/{id}/events`: where a job stands, told as it changes (server-sent events), until it ends. What a job is, `answers` says, not this."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from lesionflow.jobs.job import Job, JobState
from lesionflow.serving.accepted.answers import describe_job
from lesionflow.serving.accepted.stages import stage_reached
from lesionflow.serving.problems import RequestRefusedError

#: How often it is looked at what is known; a job's end is told at once.
LOOK_S = 0.5
#: A line without meaning, so that no proxy takes the connection for dead.
HEARTBEAT_S = 15.0
#: A stream ends then, and a client comes again with `Last-Event-ID`: none holds up a service that is told to stop, nor outlives its key.
LONGEST_S = 25.0
#: Each asks the database twice a second.
MAX_STREAMS = 100
HEADERS = {"X-Accel-Buffering": "no"}


class Event(NamedTuple):
    """One event.

    Args:
        id: Of what is told, not of when: who has it needs it no second time.
        name: `stage` or `end`.
        data: Plain values.
    """

    id: str
    name: str
    data: dict[str, Any]

    def encode(self) -> bytes:
        """Return it as HTML's standard writes events."""
        return f"id: {self.id}\nevent: {self.name}\ndata: {json.dumps(self.data)}\n\n".encode()


async def stream_events(request: Request, job: Job) -> Response:
    """Tell where a job stands as it changes.

    Args:
        request: Its header `Last-Event-ID` names what the client knows.
        job: The job.

    Returns:
        The stream; 204, by which a browser stops asking, when the client knows the end.

    Raises:
        RequestRefusedError: 429 `overloaded`.
    """
    state = request.app.state
    known = request.headers.get("last-event-id", "")
    if known and known == (await to_thread.run_sync(event_of, state, job)).id and job.state.ended:
        return Response(status_code=204)
    if state.n_streams >= MAX_STREAMS:
        message = f"Expected at most {MAX_STREAMS} streams of events, found as many open. Ask by ?wait= instead."
        raise RequestRefusedError(message, status=429, code="overloaded", headers={"Retry-After": "30"})
    return StreamingResponse(_events(state, job, known), media_type="text/event-stream", headers=HEADERS)


async def _events(state: Any, job: Job, known: str) -> AsyncIterator[bytes]:
    state.n_streams += 1
    began = told = time.monotonic()
    try:
        yield f"retry: {int(LOOK_S * 4000)}\n\n".encode()
        while time.monotonic() - began < LONGEST_S and not state.drain.stopping:
            event = await to_thread.run_sync(event_of, state, job)
            if event.id != known:
                known, told = event.id, time.monotonic()
                yield event.encode()
            elif time.monotonic() - told > HEARTBEAT_S:
                told = time.monotonic()
                yield b": alive\n\n"
            if event.name == "end":
                return
            job = await state.waiters.wait(state.queue, job, LOOK_S)
    finally:
        state.n_streams -= 1


def event_of(state: Any, job: Job) -> Event:
    """Return what is to be told of a job as it stands now."""
    if job.state.ended:
        return Event(f"{job.attempt}-{job.state}", "end", describe_job(state.queue, job))
    each = state.queue.seconds_each()
    if job.state is JobState.QUEUED:
        n_before = state.queue.n_before(job.id)
        rounds = n_before // state.service.max_concurrent + 1
        data = {"stage": "queued", "n_before": n_before, "fraction": None, "seconds_left": _left(each, rounds, 0.0)}
        return Event(f"{job.attempt}-queued-{n_before}", "stage", data)
    reached = stage_reached(state.scratch, job.id)
    stage, fraction = ("running", None) if reached is None else (str(reached.stage), reached.fraction)
    elapsed = time.time() - (job.started_ms or 0) / 1000
    data = {"stage": stage, "fraction": fraction, "seconds_left": _left(each, 1, elapsed)}
    return Event(f"{job.attempt}-{stage}-{0 if reached is None else reached.n_done}", "stage", data)


def _left(each_s: float | None, rounds: int, elapsed_s: float) -> float | None:
    # Who takes longer than the last ones did is told nothing rather than that he is nearly through.
    left = 0.0 if each_s is None else each_s * rounds - elapsed_s
    return round(left, 1) if left > 0 else None
