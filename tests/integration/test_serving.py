"""The real server: started as a user starts it, on a registered champion, asked over HTTP, stopped by a signal."""

import contextlib
import io
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import psutil
import pydicom
import pytest

from lesionflow.inference import Segmenter
from lesionflow.phantoms import write_phantoms
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.prediction.served_model import load_model
from lesionflow.prediction.study import predict_study
from lesionflow.registry import registered_bundles
from lesionflow.registry.tracking import Tracker
from lesionflow.serving.launch import serve_command, serve_environment
from support.champions import set_champion
from support.served_models import write_untrained_bundle
from support.stores import empty_store
from support.zipped_folders import zip_of_folder

NAME = "lesionflow-served"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory):
    """A store with version 1 as champion and version 2, another model, as challenger."""
    folder = tmp_path_factory.mktemp("store")
    tracker = Tracker(empty_store(folder), "phantoms")
    for seed in (7, 8):
        bundle = write_untrained_bundle(folder / f"bundle-{seed}", {"CT": "ct"}, seed)
        version = registered_bundles.register_bundle(
            tracker, tracker.start_run(f"train {seed}"), bundle, NAME, program=MLFLOW_PROGRAM, tags={}
        )
        if seed == 7:
            set_champion(NAME, version.version, tracker.tracking_uri)
    return tracker.tracking_uri


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantoms")
    return root / write_phantoms(root, n_cases=1, seed=21, modality="ct")[0].study


@pytest.fixture(scope="module")
def study_zip(study):
    return zip_of_folder(study)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server(tracking_uri, tmp_path_factory):
    """The service's process and address, ready; a test that stops it says so."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    environment = serve_environment(model="champion", model_name=NAME, tracking_uri=tracking_uri)
    environment |= {
        "OMP_NUM_THREADS": "1",
        "BENTOML_HOME": str(folder / "bentoml"),
        "TMPDIR": str(folder),
        "LESIONFLOW_MAX_WAITING": "32",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            serve_command(port=port), env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    address = f"http://127.0.0.1:{port}"
    try:
        statuses = wait_until_ready(process, address)
        yield process, address, statuses, folder
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(30)


def wait_until_ready(process, address):
    """Return every status that `/readyz` gave on the way."""
    statuses, end = [], time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            statuses.append(httpx.get(f"{address}/readyz").status_code)
        except httpx.TransportError:
            statuses.append(0)
        if statuses[-1] == 200:
            return statuses
        time.sleep(0.1)
    raise TimeoutError(statuses[-3:])


def post(address, content, query):
    return httpx.post(f"{address}/v1/segment{query}", files={"study": ("s.zip", content)}, timeout=120)


def test_it_says_not_ready_until_the_champion_is_loaded(server):
    _, address, statuses, _ = server
    # Which of the others are seen hangs on how fast the machine is; tests/unit/serving/test_api.py holds the 503.
    assert set(statuses) <= {0, 503, 200}
    model = httpx.get(f"{address}/v1/model").json()
    assert (model["model_name"], model["model_version"]) == (NAME, "1")


def test_the_served_seg_equals_the_one_of_predict(server, tracking_uri, study, study_zip, tmp_path):
    _, address, _, _ = server
    response = post(address, study_zip, "?format=dicom-seg")
    assert response.status_code == 200, response.text
    model = load_model("champion", NAME, tracking_uri)
    assert model.version == "1"
    predict_study(model, Segmenter(model.bundle, device="cpu"), study, tmp_path / "mask.dcm", output_format="dicom-seg")
    served, written = pydicom.dcmread(io.BytesIO(response.content)), pydicom.dcmread(tmp_path / "mask.dcm")
    np.testing.assert_array_equal(served.pixel_array, written.pixel_array)
    assert 0 < served.pixel_array.mean() < 1
    assert response.headers["x-lesionflow-model"] == f"{NAME}/1"


def test_it_answers_while_it_segments(server, study_zip):
    _, address, _, _ = server
    waits, done = [], threading.Event()

    def work():
        post(address, study_zip, "?format=json")
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    with httpx.Client() as client:
        while not done.is_set():
            began = time.perf_counter()
            assert client.get(f"{address}/livez").status_code == 200
            waits.append(time.perf_counter() - began)
            time.sleep(0.02)
    thread.join()
    assert len(waits) > 5
    assert np.median(waits) < 0.2


def test_bad_uploads_and_unknown_paths_are_problems(server):
    _, address, _, _ = server
    for response, status, code in (
        (post(address, b"garbage", ""), 422, "not_a_zip"),
        (httpx.get(f"{address}/docs.json"), 404, "not_found"),
        (httpx.get(f"{address}/v1/segment"), 405, "method_not_allowed"),
    ):
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.headers["content-type"] == "application/problem+json"


def asked_raw(address, text):
    """Send bytes as they are, and return all that comes back."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(text)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_no_client_forges_a_line_of_the_log_and_no_line_opens_a_result(server, study_zip):
    _, address, _, folder = server
    report = post(address, study_zip, "?format=json").json()
    assert httpx.get(f"{address}{report['links']['report']}").status_code == 200
    host = address.removeprefix("http://").encode()
    for path in (b"/%0aFORGED%0d%0aFORGED", b"/%1b[2J%1b]0;FORGED%07", b"/v1/jobs/%0aFORGED", b"/\x1b[2JFORGED"):
        extra = b"X-Request-Id: \x1b[31mFORGED\r\nUser-Agent: \x1bFORGED\r\nConnection: close\r\n"
        answer = asked_raw(address, b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + extra + b"\r\n")
        assert answer.split(b" ")[1] in (b"404", b"400")
    log = (folder / "log").read_bytes()
    assert b"FORGED" not in log
    assert b"\x1b[2J" not in log
    assert report["id"].encode() not in log
    assert b"GET /v1/results/{result_id}/report 200" in log
    named = httpx.get(f"{address}/livez", headers={"X-Request-Id": "of-a-proxy"})
    assert named.headers["x-request-id"] == "of-a-proxy"
    assert b"[of-a-proxy] 127.0.0.1 GET /livez 200" in (folder / "log").read_bytes()


def test_what_bentoml_would_answer_is_closed_or_ours(server):
    _, address, _, _ = server
    for path in ("schema.json", "docs.json", "healthz", "health", "static_content/x", "assets/x", "metrics/"):
        answer = httpx.get(f"{address}/{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path
    live, ready = (httpx.get(f"{address}/{path}") for path in ("livez", "readyz"))
    assert (live.text, live.headers["x-content-type-options"]) == ("ok\n", "nosniff")
    assert (ready.json()["ready"], ready.headers["x-content-type-options"]) == (True, "nosniff")


def test_figures_are_exposed_once(server):
    _, address, _, _ = server
    text = httpx.get(f"{address}/metrics").text
    assert 'lesionflow_studies_total{outcome="segmented"} 3' in text
    assert 'lesionflow_model{bundle_digest="' in text
    assert "bentoml_" not in text


def test_a_signal_stops_it_cleanly_and_nothing_of_a_study_is_left(server, study_zip):
    """Whoever waits is answered: the result of what was in work, where to find that of what was not begun."""
    process, address, _, folder = server
    files = {"study": ("s.zip", study_zip)}
    links = [httpx.post(f"{address}/v1/studies", files=files, timeout=60).json()["links"]["self"] for _ in range(12)]
    with ThreadPoolExecutor(4) as clients:
        segmenting = clients.submit(post, address, study_zip, "?format=nifti")
        waiting = clients.submit(httpx.get, f"{address}{links[-1]}?wait=600", timeout=700)
        listening = clients.submit(httpx.get, f"{address}{links[-1]}/events", timeout=60)
        states = [httpx.get(f"{address}{link}").json()["state"] for link in links]
        running = clients.submit(httpx.get, f"{address}{links[states.index('running')]}?wait=600", timeout=700)
        # Until all four wait.
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert (running.result().status_code, running.result().json()["state"]) == (200, "done"), running.result().text
        assert (waiting.result().status_code, waiting.result().json()["state"]) == (202, "queued")
        assert (segmenting.result().status_code, segmenting.result().json()["code"]) == (503, "still_running")
        assert listening.result().status_code == 200
    assert process.wait(30) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/livez")
    assert [p.name for p in folder.iterdir() if p.name.startswith("lesionflow-")] == []
    assert "Traceback" not in (folder / "log").read_text()


def test_studies_accepted_before_a_kill_are_done_by_the_next_service(tracking_uri, study_zip, tmp_path):
    """kill -9 of all its processes while one study is in work and two wait; then of the parent alone, whose worker must not stay."""
    environment = serve_environment(model="champion", model_name=NAME, tracking_uri=tracking_uri)
    environment |= {"OMP_NUM_THREADS": "1", "BENTOML_HOME": str(tmp_path / "bentoml"), "TMPDIR": str(tmp_path)}
    environment |= {"LESIONFLOW_STATE_DIR": str(tmp_path / "state")}

    def start(port):
        with (tmp_path / f"log-{port}").open("w") as log:
            command = serve_command(port=port)
            return subprocess.Popen(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    ports = [free_port(), free_port()]
    first = start(ports[0])
    second = None
    try:
        address = f"http://127.0.0.1:{ports[0]}"
        wait_until_ready(first, address)
        files = {"study": ("s.zip", study_zip)}
        answers = [httpx.post(f"{address}/v1/studies?format=nifti", files=files, timeout=60) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202] * 3
        links = [answer.json()["links"]["self"] for answer in answers]
        kill_all(first)
        second = start(ports[1])
        address = f"http://127.0.0.1:{ports[1]}"
        wait_until_ready(second, address)
        jobs = [httpx.get(f"{address}{link}?wait=120", timeout=150).json() for link in links]
        assert [job["state"] for job in jobs] == ["done"] * 3
        masks = {httpx.get(f"{address}{job['links']['mask']}?format=nifti").content for job in jobs}
        assert len(masks) == 1
        second.send_signal(signal.SIGKILL)
        second.wait(30)
        wait_until_gone(address)
    finally:
        for process in (first, second):
            if process is not None:
                kill_all(process)


def kill_all(process):
    """kill -9 of a server and its workers, which have groups of their own."""
    with contextlib.suppress(psutil.NoSuchProcess):
        workers = psutil.Process(process.pid).children(recursive=True)
        for worker in [process, *workers]:
            worker.kill()
    process.wait(30)


def wait_until_gone(address):
    """Wait until nobody answers; a worker that outlived its parent would, for ever."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            httpx.get(f"{address}/livez", timeout=5)
        except httpx.TransportError:
            return
        time.sleep(0.2)
    raise TimeoutError


def test_a_challenger_or_a_number_can_be_served_too(tracking_uri):
    champion, challenger, second = (load_model(name, NAME, tracking_uri) for name in ("champion", "challenger", "2"))
    assert (challenger.version, second.version) == ("2", "2")
    assert challenger.bundle.digest == second.bundle.digest != champion.bundle.digest
