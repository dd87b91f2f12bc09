"""What stands around every answer, before a small application of our own."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from lesionflow.serving.drain import Drain
from lesionflow.serving.middleware import GuardMiddleware
from lesionflow.serving.prometheus_metrics import ServiceMetrics
from support.service_client import TestClient


async def fine(_):
    return PlainTextResponse("fine")


async def broken(_):
    raise KeyError("secret")


async def gone(_):
    raise ClientDisconnect


async def half(_):
    async def parts():
        yield b"half"
        raise KeyError("secret")

    return StreamingResponse(parts())


@pytest.fixture
def metrics():
    return ServiceMetrics()


@pytest.fixture
def client(metrics):
    routes = [
        Route(f"/{name}/{{id}}", f) for name, f in (("fine", fine), ("broken", broken), ("gone", gone), ("half", half))
    ]
    app = Starlette(routes=routes, middleware=[Middleware(GuardMiddleware, metrics=metrics, drain=Drain(1.0))])
    return TestClient(app, raise_server_exceptions=False)


def counted(metrics):
    lines = metrics.render().decode().splitlines()
    return [line for line in lines if line.startswith("lesionflow_http_requests_total")]


def line(route, status):
    return f'lesionflow_http_requests_total{{method="GET",route="{route}",status="{status}"}} 1.0'


def test_every_answer_is_guarded_and_counted_by_its_route(client, metrics):
    answer = client.get("/fine/patient-7")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert counted(metrics) == [line("/fine/{id}", 200)]


def test_a_path_that_a_client_made_up_is_no_label(client, metrics):
    assert client.get("/made/up/patient-7").status_code == 404
    assert counted(metrics) == [line("other", 404)]


def test_a_fault_is_a_guarded_problem_without_a_trace(client, metrics):
    answer = client.get("/broken/7")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert counted(metrics) == [line("/broken/{id}", 500)]


def test_a_client_that_has_gone_is_counted_as_such(client, metrics):
    client.get("/gone/7")
    assert counted(metrics) == [line("/gone/{id}", 499)]


def test_a_fault_amid_an_answer_is_not_answered_twice(metrics, client):
    assert client.get("/half/7").text == "half"
    assert counted(metrics) == [line("/half/{id}", 200)]


def test_a_line_has_the_routes_template_and_the_answers_id_and_nothing_of_the_path(client, caplog):
    caplog.set_level("INFO", "lesionflow.access")
    answer = client.get("/fine/patient-7%0aFORGED", headers={"X-Request-Id": "of-a-proxy"})
    assert answer.headers["x-request-id"] == "of-a-proxy"
    (line_written,) = [one.getMessage() for one in caplog.records if one.name == "lesionflow.access"]
    assert line_written.startswith("testclient GET /fine/{id} 200 in ")
    assert "patient-7" not in line_written
    assert len(client.get("/broken/7").headers["x-request-id"]) == 32


def test_a_method_that_a_client_made_up_is_no_label(client, metrics):
    client.request("FORGED", "/fine/7")
    assert 'method="other"' in counted(metrics)[0]
