"""Errors as RFC 9457 problem documents with a stable `code`; nothing of the server's inside leaks."""

import logging
import uuid
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lesionflow.errors import InputError, LesionFlowError, MachineError
from lesionflow.machine.faults import machine_fault

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "The request can't be understood",
    404: "There is no such thing here",
    405: "This method is not allowed here",
    406: "No answer in an accepted format",
    413: "The upload is too large",
    415: "The request's content type is not supported",
    422: "The study can't be read right",
    500: "The service failed",
    503: "The service can't answer now",
    507: "The service has no room for the study",
}
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


def problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document.

    Args:
        status: HTTP status.
        code: Stable snake_case code; also the last part of `type`.
        detail: What happened and what to do.
        headers: Further response headers.
    """
    content = {
        "type": f"urn:lesionflow:problem:{code}",
        "title": TITLES.get(status, "The request failed"),
        "status": status,
        "code": code,
        "detail": detail,
    }
    return JSONResponse(content, status, dict(headers or {}), media_type=MEDIA_TYPE)


def on_refused(_: Request, error: Exception) -> Response:
    """Answer a `RequestRefusedError`."""
    if not isinstance(error, RequestRefusedError):
        return on_unexpected(_, error)
    return problem(error.http_status, error.code, str(error), error.headers)


def on_lesionflow_error(_: Request, error: Exception) -> Response:
    """Answer an error of ours: a study's fault in full, the server's own faults by an incident number only."""
    if isinstance(error, InputError):
        return problem(error.http_status, error.reason, str(error))
    if not isinstance(error, LesionFlowError):
        return on_unexpected(_, error)
    incident = uuid.uuid4().hex
    logger.error("incident %s", incident, exc_info=error)
    code = {"ArtifactError": "model_unusable", "ServiceError": "not_ready"}.get(type(error).__name__, "internal_error")
    code = error.code if isinstance(error, MachineError) else code
    headers = {"Retry-After": "15"} if error.http_status in (503, 507) else {}
    return problem(error.http_status, code, _incident(incident), headers)


def on_http_exception(_: Request, error: Exception) -> Response:
    """Answer the router's own 404 and 405."""
    if not isinstance(error, HTTPException):
        return on_unexpected(_, error)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    return problem(error.status_code, code, f"{error.detail}. See GET /.", error.headers)


def on_unexpected(_: Request, error: Exception) -> Response:
    """Answer anything else, the machine's faults by their code: the log has the trace, the client a number to quote."""
    fault = machine_fault(error)
    if fault is not None:
        return on_lesionflow_error(_, fault)
    incident = uuid.uuid4().hex
    logger.error("incident %s", incident, exc_info=error)
    return problem(500, "internal_error", _incident(incident))


def _incident(incident: str) -> str:
    return f"The fault lies with the service, not with the study. Quote incident {incident} to its operator."
