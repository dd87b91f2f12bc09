"""Several models at once: each study is segmented by the one that it names, and by no other."""

import time

import pytest

from lesionflow.client import Client
from lesionflow.client.client_errors import NotKeptError
from lesionflow.config import Settings
from lesionflow.serving.api import create_app
from lesionflow.serving.settings import ServiceSettings
from support.live_service import live
from support.served_models import write_untrained_bundle
from support.service_client import TestClient
from support.stub_engine import StubEngine

FILES = {"CT": ("ct.nii.gz", b"\x1f\x8bstudy")}


@pytest.fixture
def application(tmp_path):
    """A service of two models that segment nothing, and both stubs."""
    (tmp_path / "bundle").mkdir()
    text = f"unetpp={tmp_path / 'bundle'}"
    service = ServiceSettings(model="7", model_name="unet", more_models=text, state_dir=tmp_path / "state", drain_s=0.2)

    def make():
        app = create_app(service, Settings(device="cpu"))
        app.state.engine, app.state.further = StubEngine("unet"), {"unetpp": StubEngine("unetpp")}
        return app

    return make


@pytest.fixture
def client(application):
    app = application()
    with TestClient(app, raise_server_exceptions=False) as running:
        yield running
        for engine in (app.state.engine, *app.state.further.values()):
            engine.gate.set()


def stubs(client):
    return client.app.state.engine, client.app.state.further["unetpp"]


@pytest.mark.parametrize(
    ("query", "by"),
    [
        ("", "unet/1"),
        ("?model=unet", "unet/1"),
        ("?model=unet/1", "unet/1"),
        ("?model=unetpp", "unetpp/1"),
        ("?model=unetpp/1", "unetpp/1"),
    ],
)
def test_a_study_is_segmented_by_the_model_that_it_names(client, query, by):
    answer = client.post(f"/v1/segment{query}{'&' if query else '?'}format=nifti", files=FILES)
    assert (answer.status_code, answer.headers["x-lesionflow-model"]) == (200, by)
    seen = {f"{engine.model.name}/1": len(engine.seen) for engine in stubs(client)}
    assert seen == {"unet/1": 0, "unetpp/1": 0, by: 1}


@pytest.mark.parametrize("path", ["/v1/segment", "/v1/studies"])
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("model=unett", 404, "unknown_model"),
        ("model=", 404, "unknown_model"),
        ("model=unet&model=unetpp", 404, "unknown_model"),
        ("model=unetpp/2", 409, "other_version_serves"),
        ("model=unet/", 409, "other_version_serves"),
    ],
)
def test_no_other_model_does_what_one_was_named_for(client, path, query, status, code):
    answer = client.post(f"{path}?{query}", files=FILES)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if status == 404:
        assert "(unet, unetpp)" in answer.json()["detail"]
    assert client.app.state.queue.n_open() == 0
    assert [engine.seen for engine in stubs(client)] == [[], []]


def test_all_that_is_served_is_listed_with_what_is_not_loaded(client):
    main, further = stubs(client)
    further.ready, further.alias = False, "champion"
    told = {"version": "1", "alias": None, "channels": {"CT": "ct"}, "targets": ["tumor"], "ready": True}
    none = {"version": None, "alias": "champion", "channels": None, "targets": None, "ready": False}
    assert client.get("/v1/models").json() == {"models": [{"name": "unet", **told}, {"name": "unetpp", **none}]}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["models"]["unetpp"]["ok"]) == (200, False)
    lines = client.get("/metrics").text.splitlines()
    assert 'lesionflow_further_model_ready{name="unetpp"} 0.0' in lines
    assert len([line for line in lines if line.startswith("lesionflow_model{")]) == 1
    main.ready, further.ready = False, True
    assert client.get("/readyz").status_code == 503
    # The stub of the main one has a model all the same; what is asked for is loaded.
    assert client.post("/v1/segment?model=unetpp&format=nifti", files=FILES).status_code == 200


def test_a_model_that_is_held_up_or_not_loaded_keeps_no_study_of_another_waiting(application):
    app = application()
    further = app.state.further["unetpp"]
    # Before the workers begin, so that none has found it ready.
    further.ready = False
    with TestClient(app) as client:
        waiting = client.post("/v1/studies?model=unetpp", files=FILES).json()["links"]["self"]
        assert client.post("/v1/segment", files=FILES).status_code == 200
        assert client.get(waiting).json()["state"] == "queued"
        further.ready = True
        further.gate.clear()
        client.app.state.workers.wake()
        assert further.begun.wait(20)
        assert client.post("/v1/segment", files=FILES).status_code == 200
        assert client.get(waiting).json()["state"] == "running"
        further.gate.set()
        assert client.get(f"{waiting}?wait=20").json()["state"] == "done"


def test_a_version_that_serves_no_more_when_its_turn_comes_fails_its_study(client):
    main, further = stubs(client)
    further.gate.clear()
    client.post("/v1/studies?model=unetpp", files=FILES)
    assert further.begun.wait(20)
    pinned = client.post("/v1/studies?model=unetpp/1", files={"CT": ("ct.nii.gz", b"\x1f\x8bother")})
    further.model.version = "2"
    further.gate.set()
    job = client.get(f"{pinned.json()['links']['self']}?wait=20").json()
    assert (job["state"], job["error"]["status"], job["error"]["code"]) == ("failed", 409, "other_version_serves")
    assert (main.seen, len(further.seen)) == ([], 1)


def test_a_study_for_a_model_outlives_the_service_and_waits_for_that_model(application):
    first = application()
    first.state.further["unetpp"].ready = False
    with TestClient(first) as client:
        at = client.post("/v1/studies?model=unetpp", files=FILES).json()["links"]["self"]
    without = application()
    without.state.further = {}
    with TestClient(without) as client:
        assert client.post("/v1/segment", files=FILES).status_code == 200
        assert client.get(at).json()["state"] == "queued"
    last = application()
    with TestClient(last) as client:
        assert client.get(f"{at}?wait=20").json()["state"] == "done"
    assert (len(last.state.further["unetpp"].seen), without.state.engine.seen[0]) == (1, b"\x1f\x8bstudy")


def test_another_model_is_another_request_under_one_key(client):
    def hand_in(query):
        return client.post(f"/v1/studies{query}", files=FILES, headers={"Idempotency-Key": "study-17"})

    first = hand_in("?model=unetpp")
    assert hand_in("?model=unetpp").json()["id"] == first.json()["id"]
    assert hand_in("").json()["code"] == "idempotency_key_reused"
    assert hand_in("?model=unet").json()["code"] == "idempotency_key_reused"


def test_the_client_names_a_model(application, tmp_path):
    study = tmp_path / "ct.nii.gz"
    study.write_bytes(b"\x1f\x8bstudy")
    with live(application()) as address, Client(address, key="", patience_s=1.0) as client:
        assert [each["name"] for each in client.models()] == ["unet", "unetpp"]
        assert client.segment({"CT": study}, output_format="nifti", model="unetpp").model == "unetpp/1"
        with pytest.raises(NotKeptError) as refused:
            client.submit({"CT": study}, model="vnet")
    assert refused.value.code == "unknown_model"


def real_answers(study_zip, queries, **settings):
    """Segment a study by services of real bundles; return what is listed, and digest and targets of each answer."""
    with TestClient(create_app(ServiceSettings(**settings), Settings(device="cpu"))) as client:
        end = time.monotonic() + 60
        while not all(each["ready"] for each in client.get("/v1/models").json()["models"]):
            assert time.monotonic() < end
            time.sleep(0.05)
        found = []
        for query in queries:
            # One binary format alone: the lesions of an untrained network are many, and their outlines take long.
            answer = client.post(f"/v1/segment?format=nifti{query}", files={"study": ("s.zip", study_zip)})
            report = client.get(f"/v1/results/{answer.headers['x-lesionflow-result']}/report").json()
            found.append((report["passport"]["bundle_digest"], report["targets"]))
        return client.get("/v1/models").json()["models"], found


def test_two_real_networks_answer_each_for_itself(bundle_folder, study_zip, tmp_path):
    """Each answer is that of the bundle that was asked for, and what a service of that bundle alone answers."""
    other = write_untrained_bundle(tmp_path / "other", {"CT": "ct", "PET": "pet"}, seed=8)
    both = {"model": str(bundle_folder), "model_name": "unet", "more_models": f"unetpp={other}"}
    listed, (main, further) = real_answers(study_zip, ("", "&model=unetpp"), **both)
    assert [(each["name"], each["channels"], each["targets"]) for each in listed] == [
        (name, {"CT": "ct", "PET": "pet"}, ["tumor"]) for name in ("unet", "unetpp")
    ]
    assert main[0] != further[0]
    assert main[1] != further[1]
    _, (alone,) = real_answers(study_zip, ("",), model=str(other))
    assert alone == further
