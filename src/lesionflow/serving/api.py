"""The service's routes, an ASGI application of our own.

::

    POST /v1/segment                  a study in, a mask or a report out
    POST /v1/studies                  a study in, its job out; ?wait= seconds for its end
    GET  /v1/jobs                     the caller's own jobs, newest first
    GET  /v1/jobs/{id}                where a job stands
    GET  /v1/jobs/{id}/events         the same, told as it changes
    DELETE /v1/jobs/{id}              cancel it
    GET  /v1/results/{id}/report      the report of an earlier answer
    GET  /v1/results/{id}/mask        its mask, ?format=
    DELETE /v1/results/{id}           erase a study with all that is kept of it
    GET  /v1/model                    what is being served
    GET  /v1/models                   all that is, by name
    GET  /livez /readyz /metrics      for orchestrators
    GET  /                            a page to try it by hand
    GET  /docs /openapi.json          this table, for people and for programs
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Match, Mount, Route
from starlette.staticfiles import StaticFiles

from lesionflow.config import Settings
from lesionflow.errors import LesionFlowError
from lesionflow.jobs.api_keys import ApiKeys
from lesionflow.jobs.audit import AuditTrail
from lesionflow.jobs.job import JobState
from lesionflow.jobs.job_database import open_database
from lesionflow.jobs.queue import JobQueue
from lesionflow.jobs.workers import Workers
from lesionflow.serving import problems
from lesionflow.serving.accepted import routes
from lesionflow.serving.accepted.answers import Waiters, raise_unless_done
from lesionflow.serving.accepted.intake import Intake
from lesionflow.serving.access.policies import protect
from lesionflow.serving.access.rate_limits import FAILURES_A_MINUTE, Asking, RateLimits
from lesionflow.serving.drain import Drain
from lesionflow.serving.engine import Engine
from lesionflow.serving.middleware import METHODS, GuardMiddleware
from lesionflow.serving.openapi.told_routes import TOLD_ROUTES
from lesionflow.serving.prometheus_metrics import ServiceMetrics
from lesionflow.serving.readiness.needs import check_all, check_further, told
from lesionflow.serving.results.formats import choose_answer
from lesionflow.serving.results.result_routes import RESULT_ROUTES, answer_of
from lesionflow.serving.results.result_store import ResultStore
from lesionflow.serving.results.retention import keep_retention, remove_old
from lesionflow.serving.scratch import scratch_folder
from lesionflow.serving.segmentation import work_on
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.several.roster import Roster, make_further

STATIC = Path(__file__).parent / "static"
MAX_QUEUE_NAME = 255
#: Less than BentoML waits for an answer.
SEGMENT_WAIT_S = 3500.0
logger = logging.getLogger(__name__)


def create_app(service: ServiceSettings, settings: Settings | None = None) -> Starlette:
    """Build the application; the model is loaded in the background once it starts.

    Args:
        service: Limits, and which model.
        settings: The tracking URI and the device; from the environment, if not given.
    """
    metrics, drain = ServiceMetrics(), Drain(service.drain_s)
    app = Starlette(
        routes=[
            *map(protect, ROUTES),
            Mount("/static", StaticFiles(directory=STATIC), name="static"),
            Route("/{path:path}", unknown, methods=list(METHODS)),
        ],
        middleware=[Middleware(GuardMiddleware, metrics=metrics, drain=drain, host_names=service.host_names)],
        exception_handlers={
            LesionFlowError: problems.on_error,
            HTTPException: problems.on_http_exception,
        },
        lifespan=_lifespan,
    )
    app.state.rate_limits = RateLimits({
        Asking.HAND_IN: service.max_hand_ins_minute, Asking.READ: service.max_reads_minute, Asking.FAILURE: FAILURES_A_MINUTE
    })  # fmt: skip
    app.state.service, app.state.metrics, app.state.drain = service, metrics, drain
    settings = settings or Settings()
    app.state.engine = Engine(service, settings, metrics)
    app.state.further = make_further(service, settings, metrics)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    state, service = app.state, app.state.service
    with scratch_folder() as scratch:
        kept = service.state_dir or scratch
        kept.mkdir(parents=True, exist_ok=True, mode=0o700)
        if service.state_dir is None:
            logger.info(
                "accepted studies lie in a temporary folder: with LESIONFLOW_STATE_DIR they outlive the service"
            )
        state.scratch, state.n_streams = scratch, 0
        state.results = ResultStore(
            service.results_dir or kept / "results", max_results=service.max_results, max_age_s=service.max_result_age_s
        )
        database = open_database(service.database_address(kept))
        state.keys, state.audit = ApiKeys(database), AuditTrail(database)
        state.queue = JobQueue(database, f"{service.model_name or ''}/{service.model}"[-MAX_QUEUE_NAME:])
        state.folders = {"studies": kept / "studies", "results": service.results_dir or kept / "results"}
        state.on_ended = partial(_on_ended, state)
        state.intake, state.waiters = Intake(kept / "studies", state.queue, service), Waiters(state.drain)
        await to_thread.run_sync(remove_old, state)
        state.roster = Roster(state.engine, service.model_name, state.further)
        state.workers = Workers(
            state.queue,
            partial(work_on, state),
            ended=state.on_ended,
            n=service.max_concurrent,
            may_begin=lambda: bool(state.engine.ready),
            further={name: partial(_is_ready, engine) for name, engine in state.further.items()},
        )
        state.roster.start()
        state.workers.start()
        state.drain.watch(partial(_begin_to_stop, state))
        retention = asyncio.create_task(keep_retention(state))
        yield
        retention.cancel()
        state.roster.stop()
        await to_thread.run_sync(state.workers.stop, min(service.drain_s, state.drain.left_s()))
        await to_thread.run_sync(state.roster.close)
        database.dispose()


def _is_ready(engine: Engine) -> bool:
    return engine.ready


def _begin_to_stop(state: Any) -> None:
    """Begin nothing more, and have those look anew who wait for what will not be begun."""
    state.workers.begin_no_more()
    state.waiters.wake_all()


def _on_ended(state: Any, job_id: str) -> None:
    """Remove the study of a job that ended here, and a result that nobody wants any more; tell those who wait."""
    job = state.queue.get(job_id)
    if job is None or job.state.ended:
        state.intake.drop(job_id)
    if job is not None and job.state is JobState.CANCELLED:
        state.results.drop(job_id)
    state.waiters.wake(job_id)


async def segment(request: Request) -> Response:
    """Receive a study, wait for its turn, answer with what was asked for."""
    state, service = request.app.state, request.app.state.service
    name = choose_answer(request.query_params.get("format"), request.headers.get("accept"))
    job = await routes.accept_study(request, name, service.max_concurrent + service.max_waiting)
    job = await state.waiters.wait(state.queue, job, SEGMENT_WAIT_S)
    raise_unless_done(job)
    return answer_of(state.results, state.results.report(job.id), name)


async def model(request: Request) -> Response:
    """Say what is being served: passport, channels, targets, card, and what its alias names."""
    return JSONResponse(request.app.state.engine.describe())


async def models(request: Request) -> Response:
    """List all that is served, the main model first: name, version, alias, channels, targets, and whether it is loaded."""
    return JSONResponse({"models": request.app.state.roster.describe()})


async def livez(_: Request) -> Response:
    """Say that the process answers."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """Say whether studies can be taken, segmented and kept, each thing that this needs by its name.

    How models beside the main one stand is told, and makes no difference: their trouble takes nothing from it.
    """
    state = request.app.state
    look = partial(check_all, state.engine, state.queue, state.folders, state.service.min_free_mb)
    found = await to_thread.run_sync(look)
    further = check_further(state.further)
    beside = {"models": told(further)} if further else {}
    if missing := [name for name, check in found.items() if not check.ok]:
        detail = f"Expected all that the service needs, found trouble with {', '.join(missing)}: see `checks`."
        return problems.problem(503, "not_ready", detail, {"Retry-After": "15"}, checks=told(found), **beside)
    return JSONResponse({"ready": True, "checks": told(found), **beside})


async def show_metrics(request: Request) -> Response:
    """Give Prometheus its figures."""
    state = request.app.state
    metrics: ServiceMetrics = state.metrics
    metrics.taken.set(await to_thread.run_sync(lambda: state.intake.n_taken))
    metrics.ready.set(state.engine.ready)
    metrics.tell_models(state.roster.served())
    for name, engine in state.further.items():
        metrics.further_ready.labels(name).set(engine.ready)
    return Response(metrics.render(), media_type=metrics.content_type)


async def trial_page(_: Request) -> Response:
    """Give the page to try the service by hand."""
    return FileResponse(STATIC / "index.html")


async def unknown(request: Request) -> Response:
    """Answer whatever no route fits, so that BentoML's plain-text answers and pages do not."""
    *known, _ = request.app.routes
    fits = any(route.matches(request.scope)[0] is Match.PARTIAL for route in known)
    raise HTTPException(405 if fits else 404)


ROUTES = (
    Route("/v1/segment", segment, methods=["POST"]),
    *routes.ROUTES,
    *RESULT_ROUTES,
    Route("/v1/model", model),
    Route("/v1/models", models),
    Route("/livez", livez),
    Route("/readyz", readyz),
    Route("/metrics", show_metrics),
    Route("/", trial_page),
    *TOLD_ROUTES,
)
