"""The document is OpenAPI's, tells every route and no other, and real answers are of the types that it tells."""

import ast
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from lesionflow import serving
from lesionflow.jobs.api_keys import Scope
from lesionflow.prediction.writers import WRITERS
from lesionflow.serving.access.policies import POLICIES
from lesionflow.serving.openapi.document import openapi_document
from lesionflow.serving.problems import PROBLEM_CODES, TITLES
from lesionflow.serving.results.formats import REPORT_ANSWERS
from support.service_client import wait_until_ready

ROOT = Path(serving.__file__).parent
#: Pages for people, and the document itself.
NOT_TOLD = {"GET /", "GET /docs", "GET /openapi.json"}


@pytest.fixture(scope="module")
def document():
    return openapi_document()


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def of_type(document, schema):
    return Draft202012Validator({**schema, "components": document["components"]})


def test_it_is_openapi_3_1(document):
    validate(document, cls=OpenAPIV31SpecValidator)
    assert document["openapi"].startswith("3.1.")


def test_it_tells_every_route_with_the_scope_that_it_asks_for(document):
    told = {name: operation["security"] for name, operation in operations(document)}
    asked = {name: [{"key": [scope]}, {}] if scope else [] for name, scope in POLICIES.items() if name not in NOT_TOLD}
    assert told == asked


def test_every_example_is_of_its_type(document):
    seen = 0
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            for media, content in answer.get("content", {}).items():
                for key, example in content.get("examples", {}).items():
                    faults = list(of_type(document, content["schema"]).iter_errors(example["value"]))
                    assert faults == [], (name, status, media, key)
                    seen += 1
    assert seen >= 10


def codes_in_source():
    """Status and code of each refusal, as the service's source has them, and what `problem_of` gives of errors."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RequestRefusedError":
                given = {word.arg: word.value for word in node.keywords}
                if isinstance(given["status"], ast.Constant) and isinstance(given["code"], ast.Constant):
                    yield given["status"].value, given["code"].value


def test_every_code_of_the_source_is_told_under_its_status(document):
    found = set(codes_in_source())
    assert len(found) > 20
    assert {(status, code) for status, code in found if code not in PROBLEM_CODES[status]} == set()
    assert set(PROBLEM_CODES) == set(TITLES)
    told = {status for _, operation in operations(document) for status in operation["responses"]}
    assert {str(status) for status in PROBLEM_CODES} - told == {"405"}


def test_the_page_of_the_service_has_the_same_codes():
    text = (ROOT.parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
    rows = text.partition("| status | codes |")[2].partition("\n\n")[0]
    said = {}
    for statuses, codes in re.findall(r"^\| ([\d, ]+) \| (.*) \|$", rows, re.MULTILINE):
        found = set(re.findall(r"`([a-z_]+)`", codes)) - {"reason"}
        said[tuple(map(int, statuses.split(", ")))] = found
    merged = {statuses: {code for status in statuses for code in PROBLEM_CODES[status]} for statuses in said}
    assert said == merged
    assert {status for statuses in said for status in statuses} == set(PROBLEM_CODES)


def check(document, method, path, answer):
    operation = document["paths"][path][method]
    told = operation["responses"][str(answer.status_code)]
    media = answer.headers["content-type"].partition(";")[0]
    content = told["content"][media]
    if media.endswith("json"):
        of_type(document, content["schema"]).validate(answer.json())
    return media


def test_real_answers_are_of_the_types_that_are_told(document, make_client, study_zip, tmp_path):
    """A real network on real DICOM: every route, done, failed and refused."""
    with make_client(access="keys", state_dir=tmp_path / "state") as client:
        wait_until_ready(client)
        client.headers["Authorization"] = f"Bearer {client.app.state.keys.add('all', {Scope.ADMIN})[1]}"
        files = {"study": ("s.zip", study_zip)}
        job = client.post("/v1/studies?wait=60", files=files)
        assert check(document, "post", "/v1/studies", job) == "application/json"
        at = job.json()["id"]
        for path in (
            "/v1/jobs",
            "/v1/jobs/{job_id}",
            "/v1/results/{result_id}/report",
            "/v1/model",
            "/v1/models",
            "/livez",
            "/readyz",
            "/metrics",
        ):
            answer = client.get(path.replace("{job_id}", at).replace("{result_id}", at))
            assert (answer.status_code, bool(check(document, "get", path, answer))) == (200, True)
        events = client.get(f"/v1/jobs/{at}/events")
        assert check(document, "get", "/v1/jobs/{job_id}/events", events) == "text/event-stream"
        for name, writer in WRITERS.items():
            answer = client.get(f"/v1/results/{at}/mask?format={name}")
            assert check(document, "get", "/v1/results/{result_id}/mask", answer) == writer.media_type
        for name, told in REPORT_ANSWERS.items():
            answer = client.get(f"/v1/results/{at}/report?format={name}")
            assert check(document, "get", "/v1/results/{result_id}/report", answer) == told.media_type
        queued = client.post("/v1/studies", files={"study": ("s.zip", b"no zip")})
        assert check(document, "post", "/v1/studies", queued) == "application/json"
        failed = client.get(f"/v1/jobs/{queued.json()['id']}?wait=60")
        assert failed.json()["error"]["code"] == "not_a_zip"
        check(document, "get", "/v1/jobs/{job_id}", failed)
        check(document, "delete", "/v1/jobs/{job_id}", client.delete(f"/v1/jobs/{at}"))
        check(document, "post", "/v1/segment", client.post("/v1/segment", files=files))
        for method, path, refused in (
            ("post", "/v1/segment", client.post("/v1/segment", files={"study": ("s.zip", b"no zip")})),
            ("post", "/v1/segment", client.post("/v1/segment", content=b"x")),
            ("get", "/v1/jobs/{job_id}", client.get("/v1/jobs/none")),
            ("get", "/v1/results/{result_id}/mask", client.get(f"/v1/results/{at}/mask?format=x")),
            (
                "get",
                "/v1/results/{result_id}/report",
                client.get(f"/v1/results/{at}/report", headers={"Accept": "x/y"}),
            ),
            ("get", "/v1/model", client.get("/v1/model", headers={"Authorization": "Bearer x"})),
            ("get", "/v1/model", client.get("/v1/model", headers={"Host": "evil.example"})),
        ):
            assert check(document, method, path, refused) == "application/problem+json"
