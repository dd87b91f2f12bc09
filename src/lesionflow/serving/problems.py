"""Errors as RFC 9457 problem documents with a stable `code`; nothing of the server's inside leaks."""

import logging
import uuid
from collections.abc import Mapping
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lesionflow.errors import InputError, LesionFlowError, MachineError
from lesionflow.machine.faults import machine_fault

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "The request can't be understood",
    401: "The request needs a valid key",
    403: "The request is not allowed",
    404: "There is no such thing here",
    405: "This method is not allowed here",
    406: "No answer in an accepted format",
    408: "The upload is too slow",
    409: "The job is in another state",
    413: "The upload is too large",
    415: "The request's content type is not supported",
    421: "The service is not called so",
    422: "The study can't be read right",
    429: "More studies than the service takes",
    500: "The service failed",
    503: "The service can't answer now",
    504: "The study took longer than it may",
    507: "The service has no room for the study",
}
#: What each status may be about. 422 has, beyond these, every `reason` of a study that can't be read right.
PROBLEM_CODES: Mapping[int, tuple[str, ...]] = {
    400: (
        "invalid_host", "invalid_idempotency_key", "invalid_limit", "invalid_wait", "broken_multipart", "invalid_part_name", "too_many_parts",
        "unknown_format",
    ),
    401: ("no_key", "invalid_key"),
    403: ("scope_missing", "keys_required", "no_list_without_keys", "foreign_origin"),
    404: ("not_found", "unknown_result", "unknown_job", "unknown_model"),
    405: ("method_not_allowed",),
    406: ("not_acceptable",),
    408: ("too_slow",),
    409: ("cancelled", "job_ended", "job_not_ended", "other_version_serves"),
    413: ("upload_too_large", "unpacked_too_large", "too_many_files"),
    415: ("not_multipart",),
    421: ("foreign_host",),
    422: (
        "not_a_zip", "unreadable_zip", "encrypted_zip", "unsafe_path", "zip_bomb", "empty_upload", "empty_study", "unknown_part", "mixed_parts",
        "duplicate_part", "missing_channel", "source_is_not_dicom", "idempotency_key_reused",
    ),
    429: ("overloaded", "too_many_requests"),
    500: ("internal_error", "worker_died", "computing_died"),
    503: (
        "not_ready", "still_running", "model_unusable", "out_of_memory", "too_many_open_files", "no_permission", "io_error", "timed_out",
    ),
    504: ("deadline_exceeded",),
    507: ("disk_full",),
}  # fmt: skip
logger = logging.getLogger(__name__)


class RequestRefusedError(LesionFlowError):
    """A request that the service refuses before or beside reading a study.

    Args:
        message: What was expected, what was found, and what to do.
        status: HTTP status.
        code: Stable snake_case code.
        headers: Further response headers.
    """

    def __init__(self, message: str, *, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.http_status = status
        self.code = code
        self.headers = dict(headers or {})


class Problem(NamedTuple):
    """What goes into a problem document: see `problem`."""

    status: int
    code: str
    detail: str
    headers: Mapping[str, str]


def problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> Response:
    """Return a problem document.

    Args:
        status: HTTP status.
        code: Stable snake_case code; also the last part of `type`.
        detail: What happened and what to do.
        headers: Further response headers.
        **more: Further members of the document (RFC 9457, 3.2).
    """
    content = {
        "type": f"urn:lesionflow:problem:{code}",
        "title": TITLES.get(status, "The request failed"),
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }
    return JSONResponse(content, status, dict(headers or {}), media_type=MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """Return what a client is told of an error: a study's fault in full, the server's own faults by an incident number only.

    The log has the trace of the latter, under that number.
    """
    if isinstance(error, RequestRefusedError):
        return Problem(error.http_status, error.code, str(error), error.headers)
    if isinstance(error, InputError):
        return Problem(error.http_status, error.reason, str(error), {})
    known = error if isinstance(error, LesionFlowError) else machine_fault(error)
    incident = uuid.uuid4().hex
    logger.error("incident %s", incident, exc_info=error)
    if known is None:
        return Problem(500, "internal_error", _incident(incident), {})
    named = {
        "ArtifactError": "model_unusable",
        "MisplacedResultError": "misplaced_result",
        "ServiceError": "not_ready",
    }
    code = named.get(type(known).__name__, "internal_error")
    code = known.code if isinstance(known, MachineError) else code
    headers = {"Retry-After": "15"} if known.http_status in (503, 507) else {}
    return Problem(known.http_status, code, _incident(incident), headers)


def on_error(_: Request, error: Exception) -> Response:
    """Answer any error."""
    return problem(*problem_of(error))


def on_http_exception(_: Request, error: Exception) -> Response:
    """Answer the router's own 404 and 405."""
    if not isinstance(error, HTTPException):
        return on_error(_, error)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    return problem(error.status_code, code, f"{error.detail}. See GET /docs.", error.headers)


def _incident(incident: str) -> str:
    return f"The fault lies with the service, not with the study. Quote incident {incident} to its operator."
