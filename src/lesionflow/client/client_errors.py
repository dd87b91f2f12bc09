"""What the service refused, as errors. A study that can't be read right is an `InputError` with the service's `code` as its reason, as it is without a service; that lies in `errors`."""

from collections.abc import Mapping
from typing import Any

from lesionflow.errors import InputError, LesionFlowError, ServiceError

#: What a study or its upload is refused by.
OF_A_STUDY = (413, 415, 422)
#: What passes: the same request may be taken later.
PASSING = (429, 502, 503, 504, 507)


class RefusalError(ServiceError):
    """The service refused or failed.

    Args:
        detail: What it said.
        status: HTTP status.
        code: The problem's stable code.
        request_id: By which its operator finds the request in the log.
    """

    def __init__(self, detail: str, *, status: int, code: str, request_id: str = "") -> None:
        super().__init__(detail)
        self.status, self.code, self.request_id = status, code, request_id


class AccessError(RefusalError):
    """The key is none, was revoked, or opens something else: statuses 401 and 403."""


class NotKeptError(RefusalError):
    """There is no such job, result or model, or it is another's: status 404."""


class JobCancelledError(RefusalError):
    """Somebody cancelled the job."""


class BusyError(RefusalError):
    """The service took nothing for as long as this client was patient."""


class UnansweredError(ServiceError):
    """The service did not answer."""


class NotDoneError(ServiceError):
    """A job is still in work when the time to wait for it is over: it goes on, and can be waited for again."""


def error_of_problem(problem: Mapping[str, Any], status: int, request_id: str = "") -> LesionFlowError:
    """Return what to raise for a problem document.

    Args:
        problem: `detail` and `code`; what is missing is filled.
        status: HTTP status.
        request_id: Of the answer.
    """
    detail, code = (
        str(problem.get("detail") or f"The service answered {status}."),
        str(problem.get("code") or "unknown"),
    )
    if status in OF_A_STUDY:
        return InputError(detail, reason=code)
    kinds = {401: AccessError, 403: AccessError, 404: NotKeptError, **dict.fromkeys(PASSING, BusyError)}
    kind = JobCancelledError if code == "cancelled" else kinds.get(status, RefusalError)
    return kind(detail, status=status, code=code, request_id=request_id)
