"""Routes of results: the report of an answer, and its mask in each format that was made; the one form of every answer with a mask."""

from typing import Any
from urllib.parse import quote

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from lesionflow.jobs.audit import AuditKind
from lesionflow.prediction.documents import DOCUMENTS
from lesionflow.prediction.writers import WRITERS
from lesionflow.serving.access.policies import caller_of, note_use
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.results.formats import ANSWERS, REPORT_ANSWERS, choose_answer
from lesionflow.serving.results.result_store import ResultStore, unknown_result
from lesionflow.serving.results.retention import erase_study

#: Warnings in an answer's headers, and characters of each: servers and proxies take 8 to 16 kB of all headers together.
MAX_WARNINGS, MAX_WARNING_LENGTH = 8, 500
#: The format that documents show.
PICTURE = "png"
#: What stands in a header as it is; all else, line ends above all, is percent-encoded.
PLAIN = " !\"#$&'()*+,/:;<=>?@[]^_`{|}~"


async def result_report(request: Request) -> Response:
    """Answer with the report of an earlier result, in the form that is asked for."""
    name = choose_answer(request.query_params.get("format"), request.headers.get("accept"), REPORT_ANSWERS)
    results: ResultStore = request.app.state.results
    report = results.report(await _own_result(request))
    answer = JSONResponse(report) if name not in DOCUMENTS else await _document(results, report, name)
    await note_use(request, AuditKind.FETCHED, report["id"])
    answer.headers["Vary"] = "Accept"
    return answer


async def result_mask(request: Request) -> Response:
    """Answer with a mask of an earlier result."""
    name = choose_answer(request.query_params.get("format"), request.headers.get("accept"))
    results: ResultStore = request.app.state.results
    report = results.report(await _own_result(request))
    answer = answer_of(results, report, name)
    await note_use(request, AuditKind.FETCHED, report["id"])
    return answer


async def erase_result(request: Request) -> Response:
    """Remove a study, its result and its job; the audit trail keeps that it was there."""
    state, result_id = request.app.state, await _own_result(request)
    job = await to_thread.run_sync(state.queue.get, result_id)
    if job is None:
        raise unknown_result()
    if not job.state.ended:
        message = "Expected a job that has ended, found one that has not. Cancel it first: DELETE /v1/jobs/{id}."
        raise RequestRefusedError(message, status=409, code="job_not_ended")
    # Before, so that nothing goes without a trace.
    await note_use(request, AuditKind.ERASED, result_id)
    await to_thread.run_sync(erase_study, state, result_id)
    return Response(status_code=204)


def answer_of(results: ResultStore, report: dict[str, Any], name: str) -> Response:
    """Return the answer with a result: its report, or its mask with what the report says of it in headers.

    Args:
        results: Where it is kept.
        report: Its report.
        name: A key of `ANSWERS`.

    Raises:
        RequestRefusedError: 404 `unknown_result`, when no mask was made in that format.
    """
    answer, headers = ANSWERS[name], _headers(report)
    if answer.file_name is None:
        response: Response = JSONResponse(report, headers=headers)
    else:
        path = results.file(report["id"], answer.file_name)
        response = FileResponse(path, media_type=answer.media_type, filename=answer.file_name, headers=headers)
    _add_warnings(response, report)
    return response


def _headers(report: dict[str, Any]) -> dict[str, str]:
    volumes = ", ".join(f"{quote(t['name'])}={t['volume_ml']:.3f}" for t in report["targets"])
    passport = report["passport"]
    return {
        "Link": f'<{report["links"]["report"]}>; rel="describedby"; type="application/json"',
        "X-Lesionflow-Result": report["id"],
        "X-Lesionflow-Volumes-Ml": volumes,
        "X-Lesionflow-Model": f"{quote(passport['model_name'])}/{quote(passport['model_version'])}",
    }


def _add_warnings(response: Response, report: dict[str, Any]) -> None:
    """Add a header for each, so that whoever keeps the file alone is told too."""
    for warning in report["warnings"][:MAX_WARNINGS]:
        response.headers.append("X-Lesionflow-Warning", quote(warning, safe=PLAIN)[:MAX_WARNING_LENGTH])


async def _document(results: ResultStore, report: dict[str, Any], name: str) -> Response:
    """Return what is made of a report: nothing of it is made before somebody asks, and nothing kept."""
    document = DOCUMENTS[name]

    def make() -> bytes:
        return document.make(report, _picture(results, report["id"]) if document.shows_picture else None)

    headers = {
        **_headers(report),
        "Content-Disposition": f'inline; filename="{REPORT_ANSWERS[name].file_name}"',
        "Content-Security-Policy": document.content_policy(),
    }
    response = Response(await to_thread.run_sync(make), media_type=document.media_type, headers=headers)
    _add_warnings(response, report)
    return response


def _picture(results: ResultStore, result_id: str) -> bytes | None:
    try:
        return results.file(result_id, WRITERS[PICTURE].file_name).read_bytes()
    except RequestRefusedError:
        # A mask of one format alone was asked for.
        return None


async def _own_result(request: Request) -> str:
    """Return the id of the result that is asked for, if it is the caller's to see."""
    state, result_id = request.app.state, str(request.path_params["result_id"])
    job = await to_thread.run_sync(state.queue.get, result_id)
    if not caller_of(request).may_see(job):
        raise unknown_result()
    return result_id


RESULT_ROUTES = (
    Route("/v1/results/{result_id}/report", result_report),
    Route("/v1/results/{result_id}/mask", result_mask),
    Route("/v1/results/{result_id}", erase_result, methods=["DELETE"]),
)
