"""The same on every store that MLflow has: PostgreSQL, MariaDB, and MLflow's own server with accounts and proxied artifacts.

With LESIONFLOW_TEST_WHOLE=1, where the servers' programs and drivers are installed.
"""

import os
import traceback
from importlib.util import find_spec

import pytest

from lesionflow.errors import ArtifactError, ServiceError
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.mlflow_store import connect
from lesionflow.registry.registered_bundles import fetch_bundle, register_bundle
from lesionflow.registry.shared_state import latest_snapshot, push_snapshot
from lesionflow.registry.tracking import Tracker
from lesionflow.registry.versions import CHAMPION, STATE_SUFFIX, find_version, list_models
from support.bundles import small_bundle
from support.champions import set_champion
from support.servers import PASSWORD, WRITTEN, mariadb, mlflow_server, postgresql

NAME = "lesionflow-knees"
SERVERS = {
    "postgresql": (postgresql, "psycopg"),
    "mariadb": (mariadb, "pymysql"),
    "server": (mlflow_server, "flask_wtf"),
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        os.environ.get("LESIONFLOW_TEST_WHOLE") != "1", reason="servers are started in the whole run alone"
    ),
]


@pytest.fixture(scope="module", params=SERVERS)
def store(request, tmp_path_factory):
    """The tracking URI of an empty store, and its kind."""
    serve, module = SERVERS[request.param]
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    with serve(tmp_path_factory.mktemp(request.param)) as uri:
        yield uri, request.param


@pytest.fixture
def uri(store, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("LESIONFLOW_ARTIFACTS_URI", str(tmp_path_factory.getbasetemp() / f"artifacts-{store[1]}"))
    if store[1] == "server":
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD * 2)
    return store[0]


def test_a_bundle_goes_in_and_the_champion_comes_out(uri, tmp_path):
    tracker = Tracker(uri, "knees")
    run_id = tracker.start_run("train")
    write_bundle(tmp_path / "candidate", small_bundle(1, run_id))
    made = register_bundle(tracker, run_id, tmp_path / "candidate", NAME, program=MLFLOW_PROGRAM, tags={"a": "b"})
    set_champion(NAME, made.version, uri)
    assert find_version(NAME, CHAMPION, uri).version == made.version
    assert fetch_bundle(NAME, CHAMPION, uri).digest == made.bundle_digest
    with pytest.raises(ArtifactError, match="models list"):
        fetch_bundle(NAME, "99", uri)


def test_state_is_shared_and_of_two_at_once_one_wins(uri):
    first = push_snapshot(NAME, {"splits.json": b"1"}, None, uri)
    assert push_snapshot(NAME, {"splits.json": b"2"}, first, uri).number == 2
    assert push_snapshot(NAME, {"splits.json": b"other"}, first, uri) is None
    assert latest_snapshot(NAME, uri).files == {"splits.json": b"2"}
    assert NAME + STATE_SUFFIX not in list_models(uri)


def test_a_wrong_password_is_told_without_it_or_the_right_one(store, monkeypatch):
    uri = store[0].replace(WRITTEN, "wr0ng-s3cret")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wr0ng-s3cret")
    with pytest.raises(ServiceError, match=r"MLFLOW_TRACKING_USERNAME|user") as raised:
        connect(uri)
    said = "".join(traceback.format_exception(raised.value))
    assert not [word for word in (PASSWORD, WRITTEN, "wr0ng-s3cret") if word in said]
