"""Errors keep what callers match on: the exit code, the HTTP status, the reason; also over the border of a process."""

import pickle

import pytest

from lesionflow import errors

INPUT_ERRORS = [
    errors.InputError,
    errors.DicomError,
    errors.NiftiError,
    errors.RasterError,
    errors.GeometryMismatchError,
]


@pytest.mark.parametrize(
    ("kind", "exit_code", "http_status"),
    [
        (errors.LesionFlowError, 1, 500), (errors.ConfigError, 2, 500), (errors.InputError, 3, 422), (errors.DataQualityError, 4, 500),
        (errors.ArtifactError, 5, 503), (errors.ServiceError, 6, 503), *((kind, 3, 422) for kind in INPUT_ERRORS),
    ],
)  # fmt: skip
def test_codes_are_those_that_the_documentation_promises(kind, exit_code, http_status) -> None:
    assert (kind.exit_code, kind.http_status) == (exit_code, http_status)
    assert issubclass(kind, errors.LesionFlowError)


@pytest.mark.parametrize("kind", INPUT_ERRORS)
def test_a_reason_survives_the_way_home_from_a_worker(kind) -> None:
    back = pickle.loads(pickle.dumps(kind("Expected a, found b.", reason="odd_thing")))
    assert (type(back), str(back), back.reason) == (kind, "Expected a, found b.", "odd_thing")
    assert isinstance(back, ValueError)


def test_a_report_survives_the_way_home_from_a_worker() -> None:
    back = pickle.loads(pickle.dumps(errors.DataQualityError("Refused.", report="reports/validation")))
    assert (str(back), back.report) == ("Refused.", "reports/validation")
