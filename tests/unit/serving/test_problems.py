"""RFC 9457 documents; nothing of the server's inside in them."""

import json
import re

import pytest
from starlette.exceptions import HTTPException

from lesionflow.errors import ArtifactError, ConfigError, DicomError, LesionFlowError, ServiceError
from lesionflow.serving import problems
from lesionflow.serving.problems import RequestRefusedError


def told(answer):
    """Status, headers and body of a problem, its form checked (RFC 9457, 3)."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = json.loads(answer.body)
    assert set(body) == {"type", "title", "status", "code", "detail"}
    assert (body["type"], body["status"]) == (f"urn:lesionflow:problem:{body['code']}", answer.status_code)
    return answer.status_code, answer.headers, body


def test_a_refusal_keeps_its_status_code_and_headers():
    refused = RequestRefusedError("Come again.", status=503, code="overloaded", headers={"Retry-After": "30"})
    status, headers, body = told(problems.on_error(None, refused))
    assert (status, headers["retry-after"], body["code"], body["detail"]) == (503, "30", "overloaded", "Come again.")
    assert body["title"] == "The service can't answer now"


def test_a_studys_fault_is_told_in_full():
    error = DicomError("Expected five slices, found four.", reason="missing_slice")
    status, _, body = told(problems.on_error(None, error))
    assert (status, body["code"], body["detail"]) == (422, "missing_slice", "Expected five slices, found four.")


@pytest.mark.parametrize(
    ("error", "status", "code", "retry"),
    [
        (ArtifactError("weights at /srv/secret"), 503, "model_unusable", "15"),
        (ServiceError("mlflow at /srv/secret"), 503, "not_ready", "15"),
        (ConfigError("a setting of /srv/secret"), 500, "internal_error", None),
        (LesionFlowError("/srv/secret"), 500, "internal_error", None),
    ],
)
def test_a_fault_of_the_servers_own_is_a_number_to_quote(caplog, error, status, code, retry):
    found, headers, body = told(problems.on_error(None, error))
    assert (found, body["code"], headers.get("retry-after")) == (status, code, retry)
    assert "secret" not in json.dumps(body)
    incident = re.search(r"incident ([0-9a-f]{32})", body["detail"])[1]
    assert [(record.getMessage(), record.exc_info[1]) for record in caplog.records] == [(f"incident {incident}", error)]


@pytest.mark.parametrize("answer", [problems.on_error, problems.on_http_exception])
def test_whatever_else_happens_is_internal(caplog, answer):
    status, _, body = told(answer(None, KeyError("patient")))
    assert (status, body["code"]) == (500, "internal_error")
    assert "patient" not in json.dumps(body)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(("status", "code"), [(404, "not_found"), (405, "method_not_allowed"), (418, "http_error")])
def test_the_routers_own_answers_are_problems_too(status, code):
    found, headers, body = told(problems.on_http_exception(None, HTTPException(status, headers={"Allow": "POST"})))
    assert (found, headers["allow"], body["code"]) == (status, "POST", code)
