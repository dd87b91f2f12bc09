"""What is erased or too old is nowhere any more: every file and row of the state is looked through."""

import asyncio
import os
import sqlite3
import time
import types

import pytest

from lesionflow.config import Settings
from lesionflow.errors import ServiceError
from lesionflow.jobs.api_keys import Scope
from lesionflow.jobs.audit import AuditKind
from lesionflow.serving.api import create_app
from lesionflow.serving.results import retention
from lesionflow.serving.settings import ServiceSettings
from support.service_client import TestClient
from support.stub_engine import StubEngine


@pytest.fixture
def client(tmp_path):
    service = ServiceSettings(model="m", access="keys", state_dir=tmp_path / "state", drain_s=0.2)
    app = create_app(service, Settings(device="cpu"))
    app.state.engine = StubEngine()
    with TestClient(app, base_url="http://127.0.0.1:3000", raise_server_exceptions=False) as client:
        yield client
        app.state.engine.gate.set()


def key(client, name):
    _, token = client.app.state.keys.add(name, {Scope.SUBMIT, Scope.READ})
    return {"Authorization": f"Bearer {token}"}


def hand_in(client, headers, query="?wait=20"):
    files = {"CT": ("ct.nii.gz", b"\x1f\x8bstudy")}
    return client.post(f"/v1/studies{query}", files=files, headers=headers).json()


def left_of(folder, job_id):
    """Every path that names a job."""
    return [path for path in folder.rglob("*") if job_id in path.name]


def rows_of(folder, job_id):
    (database,) = folder.glob("*.db")
    with sqlite3.connect(database) as connection:
        return connection.execute("SELECT count(*) FROM jobs WHERE id = ?", (job_id,)).fetchone()[0]


def test_an_erased_study_is_gone_and_the_trail_says_by_whom(client, tmp_path):
    mine, other = key(client, "mine"), key(client, "other")
    job = hand_in(client, mine)["id"]
    assert (bool(left_of(tmp_path, job)), rows_of(tmp_path / "state", job)) == (True, 1)
    assert client.delete(f"/v1/results/{job}", headers=other).status_code == 404
    assert client.delete(f"/v1/results/{job}", headers=mine).status_code == 204
    assert (left_of(tmp_path, job), rows_of(tmp_path / "state", job)) == ([], 0)
    assert client.get(f"/v1/jobs/{job}", headers=mine).status_code == 404
    assert client.delete(f"/v1/results/{job}", headers=mine).status_code == 404
    assert [entry.facts["job"] for entry in client.app.state.audit.entries() if entry.kind is AuditKind.ERASED] == [job]


def test_what_can_not_be_removed_is_said_and_can_be_erased_again(client, monkeypatch):
    mine = key(client, "mine")
    job = hand_in(client, mine)["id"]
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", refuse)
        failed = client.delete(f"/v1/results/{job}", headers=mine)
    assert (failed.status_code, failed.json()["code"]) == (503, "no_permission")
    assert client.delete(f"/v1/results/{job}", headers=mine).status_code == 204


def test_what_is_old_and_can_not_be_removed_is_tried_again(client, tmp_path, monkeypatch):
    job = hand_in(client, key(client, "mine"))["id"]
    client.app.state.service = client.app.state.service.model_copy(update={"max_result_age_s": -1.0})
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", refuse)
        retention.remove_old(client.app.state)
    assert rows_of(tmp_path / "state", job) == 1
    retention.remove_old(client.app.state)
    assert (left_of(tmp_path, job), rows_of(tmp_path / "state", job)) == ([], 0)


def refuse(path, *, ignore_errors=False):
    if not ignore_errors:
        raise PermissionError(13, "Permission denied")


def test_a_study_in_work_is_not_erased_and_ends(client):
    mine, engine = key(client, "mine"), client.app.state.engine
    engine.gate.clear()
    job = hand_in(client, mine, query="")["id"]
    assert engine.begun.wait(20)
    refused = client.delete(f"/v1/results/{job}", headers=mine)
    assert (refused.status_code, refused.json()["code"]) == (409, "job_not_ended")
    engine.gate.set()
    assert client.get(f"/v1/jobs/{job}?wait=20", headers=mine).json()["state"] == "done"
    assert [entry for entry in client.app.state.audit.entries() if entry.kind is AuditKind.ERASED] == []


def test_what_is_too_old_goes_though_nobody_asks(client, tmp_path):
    mine = key(client, "mine")
    old, new = hand_in(client, mine)["id"], hand_in(client, mine)["id"]
    day = client.app.state.service.max_result_age_s
    with sqlite3.connect(next((tmp_path / "state").glob("*.db"))) as connection:
        connection.execute("UPDATE jobs SET ended_ms = ended_ms - ? WHERE id = ?", (int((day + 60) * 1000), old))
    retention.remove_old(client.app.state)
    assert (left_of(tmp_path, old), rows_of(tmp_path / "state", old)) == ([], 0)
    assert client.get(f"/v1/results/{new}/report", headers=mine).status_code == 200
    # A result whose job is gone already goes by its own age.
    for path in left_of(tmp_path, new):
        os.utime(path, (time.time() - day - 60,) * 2)
    retention.remove_old(client.app.state)
    assert left_of(tmp_path / "state" / "results", new) == []


def test_it_is_looked_at_again_and_again_also_after_a_fault(monkeypatch):
    seen, loop, third = [], None, asyncio.Event()

    def remove(state):
        seen.append(state)
        if len(seen) == 3:
            loop.call_soon_threadsafe(third.set)
        if len(seen) < 3:
            raise (ServiceError, KeyError)[len(seen) - 1]("away, or a fault of our own")

    monkeypatch.setattr(retention, "remove_old", remove)
    state = types.SimpleNamespace(service=types.SimpleNamespace(max_result_age_s=0.05))

    async def scenario():
        nonlocal loop
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(retention.keep_retention(state))
        await third.wait()
        task.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 20))
    assert seen[:3] == [state] * 3
