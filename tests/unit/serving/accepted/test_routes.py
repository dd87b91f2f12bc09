"""A study handed in is done, whoever waits for it and whoever is killed meanwhile; asked over HTTP, with a network that waits where told."""

import os
import threading
import time

import pytest

from lesionflow.config import Settings
from lesionflow.errors import DicomError
from lesionflow.serving.api import create_app
from lesionflow.serving.settings import ServiceSettings
from support.service_client import TestClient
from support.stub_engine import StubEngine


@pytest.fixture
def service(tmp_path):
    """Start services one after another on one state; each with an engine of its own."""
    open_clients = []

    def start(**settings):
        limits = {"state_dir": tmp_path / "state", "drain_s": 0.2, **settings}
        app = create_app(ServiceSettings(model="m", **limits), Settings(device="cpu"))
        app.state.engine = StubEngine()
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()
        open_clients.append(client)
        return client, app.state.engine

    yield start
    for client in open_clients:
        client.app.state.engine.gate.set()
        client.__exit__(None, None, None)


def hand_in(client, content=b"study", query="", **headers):
    files = {"CT": ("ct.nii.gz", b"\x1f\x8b" + content)}
    return client.post(f"/v1/studies{query}", files=files, headers=headers)


def state_of(client, answer, query="?wait=20"):
    return client.get(answer.json()["links"]["self"] + query).json()


def test_a_study_is_accepted_at_once_and_its_result_fetched_later(service):
    client, engine = service()
    engine.gate.clear()
    answer = hand_in(client)
    assert (answer.status_code, answer.json()["state"] in ("queued", "running")) == (202, True)
    assert answer.headers["location"] == answer.json()["links"]["self"]
    assert int(answer.headers["retry-after"]) >= 1
    engine.gate.set()
    job = state_of(client, answer)
    assert job["state"] == "done"
    report = client.get(job["links"]["report"]).json()
    assert report["id"] == job["id"] == answer.json()["id"]
    mask = client.get(job["links"]["mask"], headers={"Accept": "application/gzip"})
    assert mask.content == b"mask of \x1f\x8bstudy"


def test_who_waits_gets_the_end(service):
    client, _ = service()
    answer = hand_in(client, query="?wait=20")
    assert (answer.status_code, answer.json()["state"]) == (200, "done")


def test_the_line_is_served_in_order_and_says_who_stands_before(service):
    client, engine = service()
    engine.gate.clear()
    answers = [hand_in(client, b"%d" % number) for number in range(4)]
    assert engine.begun.wait(20)
    assert [state_of(client, answer, "").get("n_before") for answer in answers[1:]] == [1, 2, 3]
    engine.gate.set()
    assert [state_of(client, answer)["state"] for answer in answers] == ["done"] * 4
    assert engine.seen == [b"\x1f\x8b%d" % number for number in range(4)]


def test_a_stopped_service_gives_back_what_it_had_begun_and_the_next_one_does_it(service):
    """As after a kill, but for the lease, which `tests/unit/jobs/test_workers.py` holds."""
    first, engine = service()
    engine.gate.clear()
    answers = [hand_in(first, b"a"), hand_in(first, b"b")]
    assert engine.begun.wait(20)
    first.__exit__(None, None, None)
    second, other = service()
    assert [state_of(second, answer)["state"] for answer in answers] == ["done", "done"]
    assert other.seen == [b"\x1f\x8ba", b"\x1f\x8bb"]
    engine.gate.set()
    for answer in answers:
        assert second.get(f"/v1/results/{answer.json()['id']}/report").status_code == 200


def test_a_study_that_can_not_be_read_says_so_at_its_job_and_to_who_waits(service):
    client, engine = service()
    engine.error = DicomError("Expected five slices, found four.", reason="missing_slice")
    job = hand_in(client, query="?wait=20").json()
    assert job["state"] == "failed"
    assert job["error"] == {"status": 422, "code": "missing_slice", "detail": "Expected five slices, found four."}
    answer = client.post("/v1/segment?format=nifti", files={"CT": ("ct.nii.gz", b"\x1f\x8bx")})
    assert (answer.status_code, answer.json()["code"]) == (422, "missing_slice")
    assert client.get(f"/v1/results/{job['id']}/report").status_code == 404


def test_nothing_of_a_study_stays_once_it_ended(service, tmp_path):
    client, _ = service()
    assert hand_in(client, b"identified", query="?wait=20").json()["state"] == "done"
    left = [path for path in (tmp_path / "state").rglob("*") if path.is_file() and "results" not in path.parts]
    assert {path.name.partition("-")[0] for path in left} == {"jobs.db"}
    assert not any(b"identified" in path.read_bytes() for path in left)


def test_a_request_sent_again_under_its_key_is_the_same_job(service):
    client, engine = service()
    engine.gate.clear()
    first = hand_in(client, **{"Idempotency-Key": "mine"})
    again = hand_in(client, **{"Idempotency-Key": "mine"})
    other = hand_in(client, b"another", **{"Idempotency-Key": "mine"})
    engine.gate.set()
    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert state_of(client, again)["state"] == "done"
    assert len(engine.seen) == 1
    # And after its end, and by the other route.
    files = {"CT": ("ct.nii.gz", b"\x1f\x8bstudy")}
    late = client.post("/v1/segment?format=json", files=files, headers={"Idempotency-Key": "mine"})
    assert (late.status_code, late.json()["id"], len(engine.seen)) == (200, first.json()["id"], 1)
    for key in ("", "x" * 256, "ä"):
        answer = client.post("/v1/studies", files=files, headers={"Idempotency-Key": key.encode("utf-8")})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key"), key


def test_what_waits_is_cancelled_at_once_and_what_runs_gives_no_result(service):
    client, engine = service()
    engine.gate.clear()
    running, waiting = hand_in(client, b"a"), hand_in(client, b"b")
    assert engine.begun.wait(20)
    cancelled = client.delete(waiting.json()["links"]["self"])
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    told = client.delete(running.json()["links"]["self"])
    assert (told.status_code, told.json()["state"], told.json()["cancel_requested"]) == (202, "running", True)
    engine.gate.set()
    assert state_of(client, running)["state"] == "cancelled"
    assert client.get(f"/v1/results/{running.json()['id']}/report").status_code == 404
    assert engine.seen == [b"\x1f\x8ba"]
    again = client.delete(hand_in(client, b"c", query="?wait=20").json()["links"]["self"])
    assert (again.status_code, again.json()["code"]) == (409, "job_ended")


def test_beyond_the_line_studies_are_refused_before_they_are_read_with_a_time_that_fits(service):
    client, engine = service(max_waiting=1, max_queued=1)
    engine.gate.clear()
    taken = [hand_in(client) for _ in range(3)]
    assert {answer.status_code for answer in taken} == {202}
    full = hand_in(client)
    assert (full.status_code, full.json()["code"]) == (429, "overloaded")
    # Nothing was finished yet: half a minute a study is taken.
    assert full.headers["retry-after"] == "30"
    segment = client.post("/v1/segment", files={"CT": ("ct.nii.gz", b"x")})
    assert (segment.status_code, segment.headers["retry-after"]) == (429, "60")
    engine.gate.set()
    assert [state_of(client, answer)["state"] for answer in taken] == ["done"] * 3
    assert hand_in(client).status_code == 202


def test_a_client_that_leaves_loses_nothing_that_was_accepted(service):
    client, engine = service()
    engine.gate.clear()
    answer = {}

    def ask():
        files = {"CT": ("ct.nii.gz", b"\x1f\x8bstudy")}
        answer["job"] = client.post("/v1/studies?wait=0.3", files=files)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(20)
    assert answer["job"].status_code == 202
    engine.gate.set()
    assert state_of(client, answer["job"])["state"] == "done"


@pytest.mark.parametrize("wait", ["soon", "-1", "601", "nan", "inf"])
def test_a_wait_that_is_none_is_refused(service, wait):
    client, _ = service()
    answer = hand_in(client, query=f"?wait={wait}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_wait")


def test_unknown_jobs_and_other_methods_are_problems(service):
    client, _ = service()
    for answer, status, code in (
        (client.get("/v1/jobs/" + "0" * 32), 404, "unknown_job"), (client.delete("/v1/jobs/x"), 404, "unknown_job"),
        (client.get("/v1/studies"), 405, "method_not_allowed"), (client.put("/v1/jobs/x"), 405, "method_not_allowed"),
    ):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_lost_database_is_503_and_says_no_address(service, tmp_path):
    client, _ = service()
    with client.app.state.queue._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE jobs")
    answer = hand_in(client)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert str(tmp_path) not in answer.text


def test_what_killed_services_left_behind_is_removed_when_it_is_old(service, tmp_path):
    incoming, accepted = tmp_path / "state" / "studies" / "incoming", tmp_path / "state" / "studies" / "accepted"
    for folder in (incoming / "old", incoming / "new", accepted / ("a" * 32)):
        folder.mkdir(parents=True)
    for folder in (incoming / "old", accepted / ("a" * 32)):
        os.utime(folder, (time.time() - 7 * 3600,) * 2)
    service()
    assert (list(incoming.iterdir()), list(accepted.iterdir())) == ([incoming / "new"], [])
