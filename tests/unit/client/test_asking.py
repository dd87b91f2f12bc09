"""Both clients against the application on a socket: what one gets, the other gets."""

import asyncio
import inspect
import subprocess
import sys
import threading

import pytest

from lesionflow.client import (
    AccessError,
    AsyncClient,
    BusyError,
    Client,
    JobCancelledError,
    NotKeptError,
    UnansweredError,
)
from lesionflow.config import Settings
from lesionflow.errors import DicomError, InputError
from lesionflow.jobs.api_keys import Scope
from lesionflow.serving.accepted import events
from lesionflow.serving.api import create_app
from lesionflow.serving.settings import ServiceSettings
from support.live_service import live
from support.servers import free_port
from support.stub_engine import StubEngine


class Waiting:
    """An asynchronous client, called as the other is."""

    def __init__(self, *words, **options):
        self._loop = asyncio.new_event_loop()
        self._client = AsyncClient(*words, **options)

    def __enter__(self):
        self._loop.run_until_complete(self._client.__aenter__())
        return self

    def __exit__(self, *_):
        self._loop.run_until_complete(self._client.__aexit__())
        self._loop.close()

    def events(self, job_id):
        async def gathered():
            return [event async for event in self._client.events(job_id)]

        return self._loop.run_until_complete(gathered())

    def __getattr__(self, name):
        return lambda *words, **options: self._loop.run_until_complete(getattr(self._client, name)(*words, **options))


@pytest.fixture
def service(tmp_path):
    app = create_app(
        ServiceSettings(
            model="m", access="keys", state_dir=tmp_path / "state", drain_s=0.2, max_queued=1, max_waiting=0
        ),
        Settings(device="cpu"),
    )
    app.state.engine = StubEngine()
    with live(app) as address:
        yield app, address
        app.state.engine.gate.set()


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "ct.nii.gz"
    path.write_bytes(b"\x1f\x8bstudy")
    return {"CT": path}


@pytest.fixture(params=[Client, Waiting])
def client(request, service):
    app, address = service
    key = app.state.keys.add("ward", {Scope.SUBMIT, Scope.READ})[1]
    with request.param(address, key=key, patience_s=5.0) as made:
        yield made


def test_both_clients_offer_the_same_with_the_same_arguments():
    def offered(kind):
        return {
            name: inspect.signature(function)
            for name, function in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_") and name != "events"
        }

    assert offered(Client) == offered(AsyncClient)


def test_a_study_comes_back_as_its_mask(client, study):
    mask = client.segment(study, output_format="nifti", timeout_s=20)
    assert (mask.content, mask.media_type, mask.file_name) == (
        b"mask of \x1f\x8bstudy",
        "application/gzip",
        "mask.nii.gz",
    )
    assert mask.model == "stub/1"
    (job,) = client.jobs()
    assert (job.state, client.job(job.id).state, client.report(job.id)["id"]) == ("done", "done", job.id)
    assert client.mask(job.id, "nifti").content == mask.content


def test_a_report_comes_as_a_document_to_save(client, study, tmp_path):
    client.segment(study, output_format="nifti", timeout_s=20)
    (job,) = client.jobs()
    for name, start in (("html", b"<!doctype html>"), ("pdf", b"%PDF-"), ("fhir", b"{")):
        document = client.report(job.id, name)
        document.save(tmp_path / document.file_name)
        assert (tmp_path / document.file_name).read_bytes().startswith(start)
        assert document.model == "stub/1"


def test_a_study_handed_in_twice_under_a_key_is_one_job(client, study):
    ids = {client.submit(study, idempotency_key="study-17").id for _ in range(2)}
    assert len(ids) == len(client.jobs()) == 1


def test_what_the_service_refuses_is_raised_by_name(client, service, study):
    app, address = service
    with pytest.raises(NotKeptError) as caught:
        client.job("0" * 32)
    assert caught.value.request_id
    app.state.engine.error = DicomError("Expected all slices, found a gap.", reason="missing_slice")
    with pytest.raises(InputError) as refused:
        client.segment(study, output_format="nifti", timeout_s=20)
    assert refused.value.reason == "missing_slice"
    with type(client)(address, key="lfk_none", patience_s=0) as stranger, pytest.raises(AccessError):
        stranger.model()


def test_a_job_is_cancelled_and_whoever_waits_is_told(client, service, study):
    app, _ = service
    app.state.engine.gate.clear()
    client.submit(study)
    assert app.state.engine.begun.wait(20)
    waiting = client.submit(study)
    assert client.cancel(waiting.id).state == "cancelled"
    with pytest.raises(JobCancelledError):
        client.wait(waiting.id, timeout_s=20)
    client.erase(waiting.id)
    with pytest.raises(NotKeptError):
        client.job(waiting.id)


def test_events_go_on_where_a_stream_ended(client, service, study, monkeypatch):
    monkeypatch.setattr(events, "LONGEST_S", 0.3)
    app, _ = service
    app.state.engine.gate.clear()
    job = client.submit(study)
    assert app.state.engine.begun.wait(20)
    threading.Timer(1.0, app.state.engine.gate.set).start()
    told = list(client.events(job.id))
    assert (told[-1].stage, told[-1].is_end) == ("done", True)
    assert len({event.id for event in told}) == len(told)


def test_a_full_line_is_waited_for_and_given_up_in_time(service, study):
    app, address = service
    key = app.state.keys.add("ward", {Scope.SUBMIT, Scope.READ})[1]
    app.state.engine.gate.clear()
    with Client(address, key=key, patience_s=0.0) as client:
        client.submit(study)
        assert app.state.engine.begun.wait(20)
        client.submit(study)
        with pytest.raises(BusyError) as caught:
            client.submit(study)
    assert caught.value.code == "overloaded"


@pytest.mark.parametrize("kind", [Client, Waiting])
def test_nobody_there_is_told(kind):
    with kind(f"http://127.0.0.1:{free_port()}", patience_s=0.0) as client, pytest.raises(UnansweredError):
        client.model()


def test_the_key_may_stand_in_the_environment(service, monkeypatch):
    app, address = service
    monkeypatch.setenv("LESIONFLOW_API_KEY", app.state.keys.add("ward", {Scope.READ})[1])
    with Client(address) as client:
        assert client.model()["model_name"] == "stub"


def test_a_client_loads_nothing_of_a_service_or_a_network():
    code = "import sys, lesionflow.client; print([m for m in ('torch', 'mlflow', 'numpy', 'starlette', 'pydantic') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
