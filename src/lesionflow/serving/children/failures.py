"""How a failure crosses from a child to the service: as plain values, since what a study has broken into must not be unpickled."""

import traceback
from collections.abc import Mapping
from typing import Any

from lesionflow import errors
from lesionflow.errors import InputError, LesionFlowError, MachineError
from lesionflow.machine.faults import machine_fault
from lesionflow.serving.problems import RequestRefusedError


class StoppedError(LesionFlowError):
    """Work that was given up because nobody wants it any more: its job was cancelled, or is another's."""


class DeadlineError(RequestRefusedError):
    """A study that took longer than it may.

    Args:
        seconds: What it may take.
    """

    def __init__(self, seconds: float) -> None:
        message = (
            f"Expected the study to be done within {seconds:g} s, found it unfinished: it was ended. Send fewer slices, or ask the operator for a later "
            "deadline (LESIONFLOW_DEADLINE_S)."
        )
        super().__init__(message, status=504, code="deadline_exceeded")


class ChildDiedError(RequestRefusedError):
    """The process that worked on a study died of it, or was killed.

    Args:
        how: By which signal, or with which code.
    """

    def __init__(self, how: str) -> None:
        message = (
            f"Expected the process that works on the study to answer, found that it died ({how}). The service goes on; tell its operator, and send the study "
            "again if others are segmented."
        )
        super().__init__(message, status=500, code="computing_died")


class ChildFailedError(Exception):
    """A fault of our own within a child; its text is the child's trace, for the log alone."""


def failure_of_error(error: BaseException) -> dict[str, Any]:
    """Return a failure as plain values."""
    fault = machine_fault(error)
    if fault is not None:
        return {"kind": "MachineError", "message": str(fault), "code": fault.code}
    if isinstance(error, RequestRefusedError):
        told = {"status": error.http_status, "code": error.code, "headers": error.headers}
        return {"kind": "RequestRefusedError", "message": str(error), **told}
    if isinstance(error, InputError):
        return {"kind": type(error).__name__, "message": str(error), "reason": error.reason}
    if isinstance(error, StoppedError):
        return {"kind": "StoppedError", "message": str(error)}
    kind = type(error).__name__ if isinstance(error, LesionFlowError) else ""
    return {"kind": kind, "message": str(error) if kind else "".join(traceback.format_exception(error))}


def error_of_failure(failure: Mapping[str, Any]) -> Exception:
    """Return what to raise for a failure that a child told; whatever it told, one of our own errors."""
    kind, message = str(failure.get("kind", "")), str(failure.get("message", ""))
    if kind == "StoppedError":
        return StoppedError(message)
    if kind == "RequestRefusedError":
        headers = {str(name): str(value) for name, value in failure["headers"].items()}
        return RequestRefusedError(message, status=int(failure["status"]), code=str(failure["code"]), headers=headers)
    found = getattr(errors, kind, None)
    if not (isinstance(found, type) and issubclass(found, LesionFlowError)):
        return ChildFailedError(message)
    if issubclass(found, InputError):
        return found(message, reason=str(failure["reason"]))
    return MachineError(message, code=str(failure["code"])) if found is MachineError else found(message)
