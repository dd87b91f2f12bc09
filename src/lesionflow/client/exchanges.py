"""What is asked, when it is asked again, and what an answer means, without a connection: each exchange yields what to send or how long to rest, and is given the answers. So both clients hold the same."""

import uuid
from collections.abc import Generator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import httpx

from lesionflow.client.client_errors import PASSING, NotDoneError, UnansweredError, error_of_problem
from lesionflow.client.remote_job import FetchedMask, FetchedReport, RemoteJob, job_of
from lesionflow.client.study_upload import StudyFiles
from lesionflow.errors import LesionFlowError

#: How long one request waits for a job's end: less than proxies leave it open.
WAIT_S = 20.0
#: The first rest where the service names none; each next one is twice as long.
FIRST_REST_S, LONGEST_REST_S = 0.5, 30.0
PAGE = 100


class Ask(NamedTuple):
    """A request to send.

    Args:
        method: Of HTTP.
        path: Below the service's address.
        params: The query.
        headers: Beside the key.
        study: What to send.
    """

    method: str
    path: str
    params: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    study: StudyFiles | None = None


class Rest(NamedTuple):
    """Nothing to send for so many seconds."""

    seconds: float


class Unanswered(NamedTuple):
    """What a exchange is given instead of an answer."""

    why: str


Reply = httpx.Response | Unanswered | None
Exchange = Generator[Ask | Rest, Reply, Any]


def ask(request: Ask, patience_s: float) -> Exchange:
    """Send a request, and send it again while what hinders it passes: `Retry-After` says when, else ever longer rests.

    Args:
        request: One that does the same when it is sent twice.
        patience_s: How long to rest in all; then what hinders is raised.

    Returns:
        The answer.

    Raises:
        UnansweredError: When nobody answered.
        LesionFlowError: As `error_of_problem`.
    """
    rested, rest = 0.0, FIRST_REST_S
    while True:
        reply = yield request
        if isinstance(reply, httpx.Response) and reply.is_success:
            return reply
        error, after = _hindrance(reply)
        wished = rest if after is None else after
        if (after is None and not _passes(reply)) or rested + wished > patience_s:
            raise error
        yield Rest(wished)
        rested, rest = rested + wished, min(LONGEST_REST_S, 2 * rest)


def submit(
    study: StudyFiles, output_format: str, model: str | None, key: str | None, patience_s: float
) -> Exchange:  # fmt: skip
    """Hand a study in, however often it must be sent: it is one job by its Idempotency-Key.

    Returns:
        The job.
    """
    headers = {"Idempotency-Key": key or uuid.uuid4().hex}
    params = {"format": output_format} if model is None else {"format": output_format, "model": model}
    answer = yield from ask(Ask("POST", "/v1/studies", params, headers, study), patience_s)
    return job_of(answer.json())


def wait(job_id: str, timeout_s: float, patience_s: float) -> Exchange:
    """Wait for a job's end.

    Returns:
        The job, done.

    Raises:
        NotDoneError: When it is not done in time.
        LesionFlowError: As it failed: `InputError` for a study that can't be read right, `JobCancelledError` when it was cancelled.
    """
    left = timeout_s
    while True:
        turn = max(0.0, min(WAIT_S, left))
        answer = yield from ask(Ask("GET", f"/v1/jobs/{job_id}", {"wait": f"{turn:.3f}"}), patience_s)
        job = job_of(answer.json())
        if job.state == "done":
            return job
        if job.ended:
            cancelled = {"code": "cancelled", "detail": "Expected a result, found that the job was cancelled."}
            failure = job.error or cancelled
            raise error_of_problem(failure, int(failure.get("status", 409)), _request_id(answer))
        left -= turn
        if left <= 0:
            raise NotDoneError(
                f"Expected job {job_id} to end within {timeout_s:g} s, found it {job.state}. Wait for it again."
            )


def fetch_mask(job_id: str, output_format: str, patience_s: float) -> Exchange:
    """Fetch a mask.

    Returns:
        A `FetchedMask`.
    """
    answer = yield from ask(Ask("GET", f"/v1/results/{job_id}/mask", {"format": output_format}), patience_s)
    return FetchedMask(*_file_of(answer))


def fetch_report(job_id: str, output_format: str, patience_s: float) -> Exchange:
    """Fetch a report.

    Returns:
        What it holds, of `json`; else a `FetchedReport`.
    """
    answer = yield from ask(Ask("GET", f"/v1/results/{job_id}/report", {"format": output_format}), patience_s)
    return answer.json() if output_format == "json" else FetchedReport(*_file_of(answer))


def segment_there(
    study: StudyFiles, output_format: str, model: str | None, key: str | None, timeout_s: float, patience_s: float
) -> Exchange:
    """Hand a study in, wait, and fetch its mask.

    Returns:
        A `FetchedMask`.
    """
    job: RemoteJob = yield from submit(study, output_format, model, key, patience_s)
    yield from wait(job.id, timeout_s, patience_s)
    return (yield from fetch_mask(job.id, output_format, patience_s))


def as_told(request: Ask, patience_s: float) -> Exchange:
    """Ask for what is told as JSON.

    Returns:
        It.
    """
    answer = yield from ask(request, patience_s)
    return answer.json()


def models_told(patience_s: float) -> Exchange:
    """Ask for all that is served.

    Returns:
        Each model.
    """
    return tuple((yield from as_told(Ask("GET", "/v1/models"), patience_s))["models"])


def erase(job_id: str, patience_s: float) -> Exchange:
    """Have a study that ended removed with all that is kept of it."""
    yield from ask(Ask("DELETE", f"/v1/results/{job_id}"), patience_s)


def job_told(request: Ask, patience_s: float) -> Exchange:
    """Ask for a job.

    Returns:
        It.
    """
    return job_of((yield from as_told(request, patience_s)))


def jobs_told(patience_s: float) -> Exchange:
    """Ask for the jobs of one's key, page after page.

    Returns:
        All of them, newest first.
    """
    found: list[RemoteJob] = []
    params = {"limit": str(PAGE)}
    while True:
        page = yield from as_told(Ask("GET", "/v1/jobs", params), patience_s)
        found += map(job_of, page["jobs"])
        if "links" not in page or not page["jobs"]:
            return tuple(found)
        params = {"limit": str(PAGE), "before": found[-1].id}


def _file_of(answer: httpx.Response) -> tuple[bytes, str, str, str, tuple[str, ...]]:
    named = answer.headers.get("content-disposition", "").partition('filename="')[2].rstrip('"')
    warnings = tuple(map(unquote, answer.headers.get_list("x-lesionflow-warning")))
    model = unquote(answer.headers.get("x-lesionflow-model", ""))
    return answer.content, answer.headers["content-type"], named, model, warnings


def _hindrance(reply: Reply) -> tuple[LesionFlowError, float | None]:
    """Return what to raise for what is no good answer, and when the service said to come again."""
    if not isinstance(reply, httpx.Response):
        why = "" if reply is None else reply.why
        return UnansweredError(
            f"Expected an answer of the service, found none: {why}. Is it running, and is its address right?"
        ), None
    try:
        problem = reply.json()
    except ValueError:
        problem = {}
    error = error_of_problem(problem if isinstance(problem, dict) else {}, reply.status_code, _request_id(reply))
    after = reply.headers.get("retry-after", "")
    return error, float(after) if after.isdigit() and len(after) < 6 and reply.status_code in PASSING else None


def _passes(reply: Reply) -> bool:
    return not isinstance(reply, httpx.Response) or reply.status_code in PASSING


def _request_id(answer: httpx.Response) -> str:
    return str(answer.headers.get("x-request-id", ""))
