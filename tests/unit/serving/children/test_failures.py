"""Failures cross from a child as plain values and come back as what they were; a child can raise nothing but our own errors here."""

import errno
import json

import pytest

from lesionflow.errors import ArtifactError, DicomError, InputError, MachineError, ServiceError
from lesionflow.serving.children.failures import (
    ChildDiedError,
    ChildFailedError,
    DeadlineError,
    StoppedError,
    error_of_failure,
    failure_of_error,
)
from lesionflow.serving.problems import RequestRefusedError


def crossed(error):
    return error_of_failure(json.loads(json.dumps(failure_of_error(error))))


@pytest.mark.parametrize(
    "error",
    [
        InputError("two", reason="mixed_series"),
        DicomError("four", reason="missing_slice"),
        MachineError("full", code="disk_full"),
        RequestRefusedError("large", status=413, code="too_many_files", headers={"Retry-After": "3"}),
        StoppedError("halted"),
        ArtifactError("weights"),
        ServiceError("program"),
    ],
)
def test_what_comes_back_is_what_was_raised(error):
    back = crossed(error)
    assert (type(back), str(back)) == (type(error), str(error))
    for name in ("reason", "code", "http_status", "headers"):
        assert getattr(back, name, None) == getattr(error, name, None)


def test_a_machines_fault_is_told_as_such_wherever_it_was_wrapped():
    wrapped = RuntimeError("could not write")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    back = crossed(wrapped)
    assert (type(back), back.code, back.http_status) == (MachineError, "disk_full", 507)


def test_of_a_fault_of_our_own_the_trace_comes_back():
    def broken():
        raise KeyError("x")

    with pytest.raises(KeyError) as error:
        broken()
    back = crossed(error.value)
    assert type(back) is ChildFailedError
    assert "in broken" in str(back)


@pytest.mark.parametrize("kind", ["SystemExit", "os", "__builtins__", "", "LesionFlowErrors"])
def test_a_child_names_no_class_of_its_own(kind):
    assert type(error_of_failure({"kind": kind, "message": "m"})) is ChildFailedError


def test_what_ends_a_study_says_what_to_do():
    assert (DeadlineError(7.0).http_status, DeadlineError(7.0).code) == (504, "deadline_exceeded")
    assert (ChildDiedError("SIGSEGV").http_status, ChildDiedError("SIGSEGV").code) == (500, "computing_died")
    assert "SIGSEGV" in str(ChildDiedError("SIGSEGV"))
