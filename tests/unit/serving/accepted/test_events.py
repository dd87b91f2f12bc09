"""A job's events over a real socket, as a browser reads them."""

import json
import time
import types

import httpx
import pytest

from lesionflow.config import Settings
from lesionflow.jobs.api_keys import Scope
from lesionflow.jobs.job import Job, JobState
from lesionflow.serving.accepted import events
from lesionflow.serving.accepted.stages import StageReached, StudyStage, tell_stage
from lesionflow.serving.api import create_app
from lesionflow.serving.settings import ServiceSettings
from support.live_service import live
from support.stub_engine import StubEngine


@pytest.fixture
def service(tmp_path):
    app = create_app(ServiceSettings(model="m", state_dir=tmp_path / "state", drain_s=0.2), Settings(device="cpu"))
    app.state.engine = StubEngine()
    with live(app) as address:
        yield app, address
        app.state.engine.gate.set()


def hand_in(address):
    files = {"CT": ("ct.nii.gz", b"\x1f\x8bstudy")}
    return httpx.post(f"{address}/v1/studies?format=nifti", files=files).json()["id"]


def read(lines):
    """Events of a stream, by HTML's rules: an empty line ends one; comments tell nothing."""
    event = {}
    for line in lines:
        if not line and "data" in event:
            yield event["id"], event["event"], json.loads(event["data"])
            event = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


def stream(address, job_id, **headers):
    return httpx.stream("GET", f"{address}/v1/jobs/{job_id}/events", headers=headers, timeout=30)


def test_a_job_is_told_from_the_line_to_its_end(service):
    app, address = service
    app.state.engine.gate.clear()
    first, second = hand_in(address), hand_in(address)
    assert app.state.engine.begun.wait(20)
    told = []
    with stream(address, second) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for event in read(answer.iter_lines()):
            told.append(event)
            app.state.engine.gate.set()
    assert (told[0][1], told[0][2]["stage"], told[0][2]["n_before"]) == ("stage", "queued", 1)
    assert (told[-1][1], told[-1][2]["state"], told[-1][2]["id"]) == ("end", "done", second)
    assert [one[1] for one in told[:-1]] == ["stage"] * (len(told) - 1)
    assert len({one[0] for one in told}) == len(told)
    with stream(address, first) as answer:
        assert [one[1] for one in read(answer.iter_lines())] == ["end"]


def test_stages_are_told_as_they_are_reached(service):
    app, address = service
    app.state.engine.gate.clear()
    job_id = hand_in(address)
    assert app.state.engine.begun.wait(20)
    (folder,) = app.state.scratch.glob(f"job-{job_id}-*")
    steps = [
        StageReached(StudyStage.READING),
        StageReached(StudyStage.SEGMENTING, 1, 4),
        StageReached(StudyStage.WRITING, 0, 2),
    ]
    told = []
    with stream(address, job_id) as answer:
        for _, _, data in read(answer.iter_lines()):
            told.append((data.get("stage"), data.get("fraction")))
            if steps:
                tell_stage(folder, steps.pop(0))
            else:
                app.state.engine.gate.set()
    assert told == [("running", None), ("reading", None), ("segmenting", 0.25), ("writing", 0.0), (None, None)]


def test_who_comes_back_is_told_nothing_twice_and_a_browser_that_knows_the_end_asks_no_more(service):
    app, address = service
    app.state.engine.gate.clear()
    job_id = hand_in(address)
    assert app.state.engine.begun.wait(20)
    with stream(address, job_id) as answer:
        (last, _, _) = next(read(answer.iter_lines()))
    # The client left; the study goes on.
    app.state.engine.gate.set()
    with stream(address, job_id, **{"Last-Event-ID": last}) as answer:
        ids = [one[0] for one in read(answer.iter_lines())]
    assert last not in ids
    assert httpx.get(f"{address}/v1/jobs/{job_id}?wait=20").json()["state"] == "done"
    with stream(address, job_id, **{"Last-Event-ID": ids[-1]}) as answer:
        assert answer.status_code == 204


def test_a_quiet_stream_shows_that_it_lives_and_ends_in_time(service, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(events, "LOOK_S", 0.05)
    monkeypatch.setattr(events, "LONGEST_S", 1.0)
    app, address = service
    app.state.engine.gate.clear()
    job_id = hand_in(address)
    assert app.state.engine.begun.wait(20)
    with stream(address, job_id) as answer:
        lines = list(answer.iter_lines())
    assert lines.count(": alive") >= 1
    assert "event: end" not in lines


def test_streams_are_counted_given_back_and_bounded(service, monkeypatch):
    monkeypatch.setattr(events, "MAX_STREAMS", 1)
    app, address = service
    app.state.engine.gate.clear()
    job_id = hand_in(address)
    with stream(address, job_id) as answer:
        lines = answer.iter_lines()
        next(lines)
        refused = httpx.get(f"{address}/v1/jobs/{job_id}/events")
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        assert int(refused.headers["retry-after"]) > 0
    end = time.monotonic() + 20
    while app.state.n_streams and time.monotonic() < end:
        time.sleep(0.05)
    assert app.state.n_streams == 0


def test_seconds_left_follow_from_the_last_studies(tmp_path):
    queue = types.SimpleNamespace(seconds_each=lambda: 10.0, n_before=lambda _: 5)
    state = types.SimpleNamespace(queue=queue, service=types.SimpleNamespace(max_concurrent=2), scratch=tmp_path)
    facts = {"order": {}, "attempt": 1, "created_ms": 0, "ended_ms": None, "cancel_requested": False, "outcome": {}}
    waiting = Job(id="a" * 32, state=JobState.QUEUED, started_ms=None, **facts)
    # Five before it, two at a time: two whole rounds, half of another, and its own.
    assert events.event_of(state, waiting).data["seconds_left"] == 30.0
    queue.seconds_each = lambda: None
    assert events.event_of(state, waiting).data["seconds_left"] is None
    queue.seconds_each = lambda: 10.0
    running = Job(id="a" * 32, state=JobState.RUNNING, started_ms=int((time.time() - 1000) * 1000), **facts)
    assert events.event_of(state, running).data["seconds_left"] is None


def test_events_are_their_owners(tmp_path):
    service = ServiceSettings(model="m", state_dir=tmp_path / "state", access="keys", drain_s=0.2)
    app = create_app(service, Settings(device="cpu"))
    app.state.engine = StubEngine()
    with live(app) as address:
        mine, other = (
            {"Authorization": f"Bearer {app.state.keys.add(name, {Scope.SUBMIT, Scope.READ})[1]}"} for name in "ab"
        )
        files = {"CT": ("ct.nii.gz", b"\x1f\x8bstudy")}
        job_id = httpx.post(f"{address}/v1/studies", files=files, headers=mine).json()["id"]
        assert httpx.get(f"{address}/v1/jobs/{job_id}/events", headers=other).status_code == 404
        assert "event: end" in httpx.get(f"{address}/v1/jobs/{job_id}/events", headers=mine).text
