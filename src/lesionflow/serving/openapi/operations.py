"""Each route as it is told to those who write clients: what it takes, what it answers, an example by curl. Its policy and its work lie elsewhere, not here."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Header, Path, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel

from lesionflow.serving.access.policies import POLICIES
from lesionflow.serving.openapi import examples
from lesionflow.serving.openapi.told_models import (
    JobAnswer,
    JobList,
    ModelAnswer,
    ReadyAnswer,
    ResultReport,
    ServedList,
)
from lesionflow.serving.problems import MEDIA_TYPE, PROBLEM_CODES, TITLES
from lesionflow.serving.results.formats import ANSWERS, REPORT_ANSWERS, Answer

#: What any request may be answered.
ALWAYS = (400, 403, 421, 500, 503)
PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
HEADERS = {
    "X-Request-Id": "In every line of the service's log about this request.",
    "X-Lesionflow-Result": "The id by which the result is fetched again.",
    "X-Lesionflow-Model": "Name and version of the model.",
    "X-Lesionflow-Volumes-Ml": "Volume of each target, in ml.",
    "X-Lesionflow-Warning": "A warning of the report each, percent-encoded beyond ASCII.",
}
Format = Annotated[
    str | None,
    Query(
        alias="format", json_schema_extra={"enum": list(ANSWERS)}, description="What is answered; `Accept` without it."
    ),
]
ReportFormat = Annotated[
    str | None,
    Query(
        alias="format",
        json_schema_extra={"enum": list(REPORT_ANSWERS)},
        description="The report's form; `Accept` without it.",
    ),
]
Model = Annotated[
    str | None,
    Query(alias="model", description="`NAME` or `NAME/VERSION` of a served model; without it, the main one."),
]
Wait = Annotated[float, Query(ge=0, le=600, description="Answer at the job's end, or after so many seconds.")]
Idempotency = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="Sent again under it, it is the same job."),
]  # fmt: skip
Job = Annotated[str, Path(description="A job's id.", examples=[examples.ID])]
Result = Annotated[str, Path(description="A result's id, which is its job's.", examples=[examples.ID])]
UPLOAD = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "study": {
                        "type": "string",
                        "contentMediaType": "application/zip",
                        "description": "A zip of one DICOM study; or its files, a part `study` each.",
                    }
                },
                "additionalProperties": {
                    "type": "string",
                    "contentMediaType": "application/octet-stream",
                    "description": "Or an image file for each channel (NIfTI, NRRD, MHA, PNG, JPEG, TIFF, BMP, GIF), the part named as the channel.",
                },
            }
        }
    },
}


async def _segment(format_: Format = None, model: Model = None, key: Idempotency = None) -> None:
    """Send a study, wait, and get its mask or its report."""


async def _submit(format_: Format = None, model: Model = None, wait: Wait = 0, key: Idempotency = None) -> None:
    """Hand a study in. With 202 it is on disk: whatever is killed then, it ends as done, or as failed with a reason, once."""


async def _list(
    limit: Annotated[int, Query(ge=1, le=500, description="Jobs at once.")] = 50,
    before: Annotated[str | None, Query(description="The last id of the page before.")] = None,
) -> None:
    """List the jobs of one's own key, newest first; an admin's key lists all."""


async def _job(job_id: Job, wait: Wait = 0) -> None:
    """Say where a job stands."""


async def _events(
    job_id: Job,
    last: Annotated[str | None, Header(alias="Last-Event-ID", description="The last event that is known.")] = None,
) -> None:
    """Tell where a job stands as it changes, until it ends: events `stage` (`queued`, `reading`, `segmenting`, `writing`; `running` where another process works) with the fraction of that stage and the seconds left, where known; then one `end`, which holds the job. Comments keep the connection alive."""


async def _cancel(job_id: Job) -> None:
    """Cancel a job: at once while it waits; work on a running one is ended within a second or two."""


async def _report(result_id: Result, format_: ReportFormat = None) -> None:
    """Fetch the report of a result that is still kept: as JSON, or as what is made of it at that moment."""


async def _mask(result_id: Result, format_: Format = None) -> None:
    """Fetch a mask of a result that is still kept, in a format that was made."""


async def _erase(result_id: Result) -> None:
    """Remove a study that has ended: what was sent, its result and its job. The audit trail keeps that it was there."""


async def _plain() -> None:
    """Answer the same to everybody."""


def _route(
    name: str, path: str, summary: str, told: Callable[..., Any], *, answers: Mapping[int, dict[str, Any]], failures: tuple[int, ...] = (), tag: str = "studies",
    curl: str, **extra: Any,
) -> APIRoute:  # fmt: skip
    method, at = path.split(" ")
    scope = POLICIES[path]
    statuses = sorted({*ALWAYS, *failures, *((401, 429) if scope else ())})
    responses: dict[int | str, dict[str, Any]] = dict(answers.items())
    responses |= {status: _refusal(status) for status in statuses}
    responses["default"] = {"description": "Whatever else goes wrong.", "content": PROBLEM}
    security = {"security": [{"key": [str(scope)]}, {}] if scope else []}
    sample = {"x-codeSamples": [{"lang": "Shell", "label": "curl", "source": curl}]}
    return APIRoute(
        at, told, methods=[method], operation_id=name, summary=summary, description=told.__doc__, tags=[tag], status_code=min(answers),
        response_description=str(answers[min(answers)]["description"]), responses=responses, openapi_extra={**security, **sample, **extra},
    )  # fmt: skip


def _refusal(status: int) -> dict[str, Any]:
    codes = ", ".join(f"`{code}`" for code in PROBLEM_CODES[status])
    return {"description": f"{TITLES[status]}: {codes}.", "content": PROBLEM}


def _json(description: str, model: type[BaseModel], **named: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    shown = {name: {"value": value} for name, value in named.items()}
    return {"description": description, "content": {"application/json": {"schema": schema, "examples": shown}}}


def _any_format(description: str, answers: Mapping[str, Answer] = ANSWERS) -> dict[str, Any]:
    content: dict[str, Any] = _json("", ResultReport, report=examples.FULL_REPORT)["content"]
    for answer in answers.values():
        text = {"type": "string", "contentMediaType": answer.media_type}
        binary = {"schema": {"type": "object"} if answer.media_type.endswith("+json") else text}
        content.setdefault(answer.media_type, binary)
    headers = {name: {"description": words, "schema": {"type": "string"}} for name, words in HEADERS.items()}
    return {"description": description, "content": content, "headers": headers}


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


AUTH = '-H "Authorization: Bearer $KEY"'
UNFIT = (406, 408, 413, 415, 422, 429, 504, 507)
OPERATIONS: tuple[APIRoute, ...] = (
    _route("segment", "POST /v1/segment", "A study in, its mask out", _segment, requestBody=UPLOAD, failures=(*UNFIT, 404, 409),
           answers={200: _any_format("The mask, or the report.")},
           curl=f"curl --fail {AUTH} -F study=@study.zip '{{server}}/v1/segment?format=dicom-seg' -o mask.dcm"),
    _route("submit_study", "POST /v1/studies", "A study in, its job out", _submit, requestBody=UPLOAD, failures=(*UNFIT, 404, 409), tag="jobs",
           answers={200: _json("It ended while you waited.", JobAnswer, done=examples.JOB_DONE, failed=examples.JOB_FAILED),
                    202: _json("It is accepted.", JobAnswer, queued=examples.JOB_QUEUED)},
           curl=f"curl --fail {AUTH} -H 'Idempotency-Key: study-17' -F CT=@ct.nii.gz -F PET=@pet.nii.gz '{{server}}/v1/studies?wait=30'"),
    _route("list_jobs", "GET /v1/jobs", "One's own jobs", _list, tag="jobs", answers={200: _json("A page of jobs.", JobList, page=examples.JOB_PAGE)},
           curl=f"curl --fail {AUTH} '{{server}}/v1/jobs?limit=20'"),
    _route("show_job", "GET /v1/jobs/{job_id}", "Where a job stands", _job, failures=(404,), tag="jobs",
           answers={200: _json("It ended.", JobAnswer, done=examples.JOB_DONE, failed=examples.JOB_FAILED),
                    202: _json("It is in work.", JobAnswer, queued=examples.JOB_QUEUED)},
           curl=f"curl --fail {AUTH} '{{server}}/v1/jobs/{examples.ID}?wait=60'"),
    _route("stream_events", "GET /v1/jobs/{job_id}/events", "Where a job stands, as it changes", _events, failures=(404, 429), tag="jobs",
           answers={200: {"description": "A stream of events.", "content": {"text/event-stream": {"schema": {"type": "string"},
                          "examples": {"stream": {"value": examples.EVENTS}}}}},
                    204: {"description": "`Last-Event-ID` is the job's end."}},
           curl=f"curl --fail --no-buffer {AUTH} '{{server}}/v1/jobs/{examples.ID}/events'"),
    _route("cancel_job", "DELETE /v1/jobs/{job_id}", "Cancel a job", _cancel, failures=(404, 409), tag="jobs",
           answers={200: _json("It is cancelled.", JobAnswer), 202: _json("Its worker is told.", JobAnswer)},
           curl=f"curl --fail {AUTH} -X DELETE '{{server}}/v1/jobs/{examples.ID}'"),
    _route("show_report", "GET /v1/results/{result_id}/report", "The report of a result", _report, failures=(404, 406), tag="results",
           answers={200: _any_format("The report.", REPORT_ANSWERS)},
           curl=f"curl --fail {AUTH} '{{server}}/v1/results/{examples.ID}/report?format=html' -o report.html"),
    _route("show_mask", "GET /v1/results/{result_id}/mask", "A mask of a result", _mask, failures=(404, 406), tag="results",
           answers={200: _any_format("The mask, or the report.")},
           curl=f"curl --fail {AUTH} '{{server}}/v1/results/{examples.ID}/mask?format=nifti' -o mask.nii.gz"),
    _route("erase_result", "DELETE /v1/results/{result_id}", "Erase a study", _erase, failures=(404, 409), tag="results",
           answers={204: {"description": "Nothing is kept of it."}}, curl=f"curl --fail {AUTH} -X DELETE '{{server}}/v1/results/{examples.ID}'"),
    _route("show_model", "GET /v1/model", "What is served", _plain, tag="service", answers={200: _json("The model.", ModelAnswer, served=examples.MODEL)},
           curl=f"curl --fail {AUTH} '{{server}}/v1/model'"),
    _route("list_models", "GET /v1/models", "All that is served", _plain, tag="service",
           answers={200: _json("Models by name, the main one first.", ServedList, served=examples.MODELS_SERVED)},
           curl=f"curl --fail {AUTH} '{{server}}/v1/models'"),
    _route("livez", "GET /livez", "Whether the process answers", _plain, tag="service", answers={200: _text("It does.")},
           curl="curl --fail '{server}/livez'"),
    _route("readyz", "GET /readyz", "Whether studies can be segmented", _plain, tag="service", answers={200: _json("They can.", ReadyAnswer, ready=examples.READINESS)},
           curl="curl --fail '{server}/readyz'"),
    _route("metrics", "GET /metrics", "Figures for Prometheus", _plain, tag="service", answers={200: _text("Its text format.")},
           curl=f"curl --fail {AUTH} '{{server}}/metrics'"),
)  # fmt: skip
