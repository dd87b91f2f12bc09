"""Each problem is the error that a caller would catch it by."""

import pytest

from lesionflow.client.client_errors import (
    AccessError,
    BusyError,
    JobCancelledError,
    NotKeptError,
    RefusalError,
    error_of_problem,
)
from lesionflow.errors import InputError, ServiceError


@pytest.mark.parametrize(("status", "kind"), [
    (401, AccessError), (403, AccessError), (404, NotKeptError), (422, InputError), (413, InputError), (415, InputError), (429, BusyError),
    (503, BusyError), (507, BusyError), (500, RefusalError), (400, RefusalError), (418, RefusalError),
])  # fmt: skip
def test_a_status_is_a_kind(status, kind):
    error = error_of_problem({"code": "some_code", "detail": "Why."}, status, "r-1")
    assert type(error) is kind
    assert str(error) == "Why."
    if kind is InputError:
        assert error.reason == "some_code"
    else:
        assert (error.status, error.code, error.request_id) == (status, "some_code", "r-1")
        assert isinstance(error, ServiceError)


def test_a_cancelled_job_is_told_from_other_conflicts():
    assert type(error_of_problem({"code": "cancelled", "detail": "d"}, 409)) is JobCancelledError
    assert type(error_of_problem({"code": "job_ended", "detail": "d"}, 409)) is RefusalError


def test_an_answer_of_something_else_is_told_too():
    error = error_of_problem({}, 502)
    assert (str(error), error.code) == ("The service answered 502.", "unknown")
