"""A fault of MLflow is told with what helps against it: faults that mlflow itself raises, and a server's answers."""

import errno
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from mlflow.exceptions import MlflowException

from lesionflow.errors import ServiceError
from lesionflow.registry.advice import advise, say_fault
from lesionflow.registry.mlflow_store import connect, reaching
from lesionflow.registry.tracking import Tracker
from support.stores import empty_store

RUNS = "api/2.0/mlflow/experiments/search"


@pytest.fixture
def answering(monkeypatch):
    """A server that gives one answer to all."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    servers = []

    def start(status: int, body: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        return f"http://me:s3cret@127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, "You are not authenticated.", "MLFLOW_TRACKING_USERNAME"),
        (403, "Invalid Host header - possible DNS rebinding attack detected", "--allowed-hosts"),
        (403, "Permission denied", "ask who runs the server"),
        (404, "Not Found", "another store"),
        (503, "upstream down", "does not answer"),
    ],
)
def test_a_servers_refusal_is_told_with_what_helps(answering, status, body, advice):
    with pytest.raises(ServiceError, match=advice) as raised:
        connect(answering(status, body))
    assert "s3cret" not in str(raised.value)


def test_a_server_that_is_down_is_said_to_be(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ServiceError, match="does not answer: check MLFLOW_TRACKING_URI"):
        connect("http://127.0.0.1:1")


def test_what_was_deleted_is_said_to_be_and_how_it_comes_back(tmp_path):
    uri = empty_store(tmp_path)
    tracker = Tracker(uri, "knees")
    run_id = tracker.start_run("one")
    assert tracker.has_run(run_id)
    tracker.client.delete_run(run_id)
    assert not tracker.has_run(run_id)
    with pytest.raises(ServiceError, match=r"deleted.*mlflow runs restore"):
        tracker.log_metrics(run_id, {"a": 1.0})
    with pytest.raises(ServiceError, match="another store"), reaching(uri):
        tracker.client.get_run("0" * 32)
    tracker.client.delete_experiment(tracker.experiment_id)
    with pytest.raises(ServiceError, match=r"experiment knees in MLflow, found it deleted.*restore --experiment-id"):
        Tracker(uri, "knees")


def test_a_store_that_is_down_is_not_taken_for_one_without_the_run(tmp_path, monkeypatch):
    tracker = Tracker(empty_store(tmp_path), "knees")

    def down(_):
        raise MlflowException("API request failed with exception: Connection refused")

    monkeypatch.setattr(tracker.client, "get_run", down)
    with pytest.raises(ServiceError, match="does not answer"):
        tracker.has_run("0" * 32)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk of the store is full"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/gone/mlartifacts/x"), "was moved"),
        (PermissionError(errno.EACCES, "Permission denied"), "must be writable"),
        (ModuleNotFoundError("No module named 'psycopg'"), "driver"),
        (MlflowException("Detected out-of-date database schema (found version a)"), "db upgrade"),
        (MlflowException("(sqlite3.OperationalError) database is locked"), "Another program holds the store"),
        (TimeoutError("timed out"), "does not answer"),
        (RuntimeError("what nobody knows"), "Check MLFLOW_TRACKING_URI"),
    ],
)
def test_each_kind_of_fault_has_its_advice(error, advice):
    assert advice in advise(error)


def test_a_password_that_breaks_the_address_is_named_as_the_cause():
    said = say_fault(ValueError("invalid literal for int() with base 10: 'w'"), "postgresql://me:p@ss:w@host/db")
    assert "write it as %40" in said
    assert "'w'" not in said


def test_what_was_to_be_written_is_not_repeated():
    said = (
        "(sqlite3.OperationalError) attempt to write a readonly database\n[SQL: INSERT INTO tags VALUES (?)]\n"
        "[parameters: ('worst was c-000001',)]\n(Background on this error at: https://sqlalche.me/e/21/e3q8)"
    )
    assert say_fault(MlflowException(said), "sqlite:////there/mlflow.db") == (
        "Expected to reach MLflow at sqlite:////there/mlflow.db, found: attempt to write a "
        "readonly database. The file of the store can't be written: check its folder and the rights to it, and MLFLOW_TRACKING_URI."
    )
