"""Routes of jobs: hand a study in, see where it and one's others stand, cancel it."""

from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lesionflow.jobs.audit import AuditKind
from lesionflow.jobs.job import Job, JobState
from lesionflow.serving.accepted.answers import MAX_WAIT_S, describe_job
from lesionflow.serving.accepted.events import stream_events
from lesionflow.serving.accepted.intake import AskedModel
from lesionflow.serving.access.policies import caller_of, note_use
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.results.formats import choose_answer

#: Jobs of a list at once: without `?limit=`, and at most.
PAGE, MAX_PAGE = 50, 500


async def submit_study(request: Request) -> Response:
    """Receive a study and answer with its job: 202 while it is in work, 200 when it ended within `?wait=`."""
    state, service = request.app.state, request.app.state.service
    name = "json" if (asked := request.query_params.get("format")) is None else choose_answer(asked, None)
    seconds = _seconds(request.query_params.get("wait", "0"))
    job = await accept_study(request, name, service.max_concurrent + service.max_waiting + service.max_queued)
    return await _job_answer(state, await state.waiters.wait(state.queue, job, seconds))


async def list_jobs(request: Request) -> Response:
    """List the caller's own jobs, newest first: `?limit=` at once, `?before=` the last id of the page before."""
    state, caller = request.app.state, caller_of(request)
    if caller.owner is None:
        message = "Expected a service that asks for keys, found one that does not: there is nobody whose jobs could be listed. Ask by a job's id."
        raise RequestRefusedError(message, status=403, code="no_list_without_keys")
    limit = _limit(request.query_params.get("limit", str(PAGE)))
    before = request.query_params.get("before")
    owner = None if caller.sees_all else caller.owner
    jobs = await to_thread.run_sync(lambda: state.queue.jobs_of(owner, before=before, limit=limit + 1))
    told: dict[str, Any] = {
        "jobs": await to_thread.run_sync(lambda: [describe_job(state.queue, job) for job in jobs[:limit]])
    }
    if len(jobs) > limit:
        told["links"] = {"next": f"/v1/jobs?limit={limit}&before={jobs[limit - 1].id}"}
    return JSONResponse(told)


async def show_job(request: Request) -> Response:
    """Say where a job stands; `?wait=` seconds for its end."""
    state = request.app.state
    seconds = _seconds(request.query_params.get("wait", "0"))
    job = await _own_job(request)
    return await _job_answer(state, await state.waiters.wait(state.queue, job, seconds))


async def show_events(request: Request) -> Response:
    """Tell where a job stands as it changes, until it ends."""
    return await stream_events(request, await _own_job(request))


async def cancel_job(request: Request) -> Response:
    """Cancel a job: at once while it waits; work on a running one is ended within a second or two."""
    state = request.app.state
    own = await _own_job(request)
    job = await to_thread.run_sync(state.queue.cancel, own.id) or own
    if job.state is JobState.CANCELLED:
        await to_thread.run_sync(state.on_ended, job.id)
    if job.state is JobState.CANCELLED or not job.state.ended:
        await note_use(request, AuditKind.CANCELLED, job.id)
    else:
        message = f"Expected a job that has not ended, found one that is {job.state}."
        raise RequestRefusedError(message, status=409, code="job_ended")
    return await _job_answer(state, job)


async def accept_study(request: Request, name: str, capacity: int) -> Job:
    """Receive a study for the main model, or that of `?model=`, and wake a worker; as `Roster.choose` and `Intake.accept`."""
    state = request.app.state
    # Before the body is read: without a model nobody knows what a study must have.
    asked = request.query_params.getlist("model")
    further = state.roster.choose(asked).further
    model = AskedModel(asked[0], further) if asked else None
    job = await state.intake.accept(request, name, capacity, caller_of(request).owner, model)
    state.workers.wake()
    await note_use(request, AuditKind.ACCEPTED, job.id)
    return job


async def _own_job(request: Request) -> Job:
    job = await to_thread.run_sync(request.app.state.queue.get, request.path_params["job_id"])
    if job is None or not caller_of(request).may_see(job):
        raise RequestRefusedError(
            "Expected the id of a job that is still kept, found another.", status=404, code="unknown_job"
        )
    return job


async def _job_answer(state: Any, job: Job) -> Response:
    told = await to_thread.run_sync(describe_job, state.queue, job)
    headers = {"Location": told["links"]["self"]}
    if not job.state.ended:
        headers["Retry-After"] = str(await to_thread.run_sync(state.intake.retry_after_s, told.get("n_before", 0) + 1))
    return JSONResponse(told, 200 if job.state.ended else 202, headers)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT_S:
        message = f"Expected ?wait= to be seconds from 0 to {MAX_WAIT_S:.0f}, found {text!r:.40}."
        raise RequestRefusedError(message, status=400, code="invalid_wait")
    return seconds


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MAX_PAGE):
        message = f"Expected ?limit= to be a number from 1 to {MAX_PAGE}, found {text!r:.40}."
        raise RequestRefusedError(message, status=400, code="invalid_limit")
    return int(text)


ROUTES = (
    Route("/v1/studies", submit_study, methods=["POST"]),
    Route("/v1/jobs", list_jobs, methods=["GET"]),
    Route("/v1/jobs/{job_id}", show_job, methods=["GET"]),
    Route("/v1/jobs/{job_id}/events", show_events, methods=["GET"]),
    Route("/v1/jobs/{job_id}", cancel_job, methods=["DELETE"]),
)
