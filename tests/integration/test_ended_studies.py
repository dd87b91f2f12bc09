"""A study in work that is cancelled, takes too long or kills its process ends soon and with a reason; the service goes on and loses no other.

Its process is held by SIGSTOP: as a decoder that never returns, it hears no word.
"""

import os
import signal
import time

import pytest

from lesionflow.config import Settings
from lesionflow.serving.accepted.stages import prefix_of
from lesionflow.serving.api import create_app
from lesionflow.serving.children import model_process
from lesionflow.serving.generations.study_work import UNPACKED
from lesionflow.serving.settings import ServiceSettings
from support.nifti_studies import ct_nifti
from support.served_models import write_untrained_bundle
from support.service_client import TestClient, wait_until_ready

#: A look for the word, half a second of grace, and what a busy machine takes; without an end the study would never end.
SOON_S = 15.0
N_KILLS = 20 if os.environ.get("LESIONFLOW_TEST_WHOLE") == "1" else 2
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    bundle = write_untrained_bundle(tmp_path_factory.mktemp("model") / "bundle", {"CT": "ct"})
    service = ServiceSettings(model=str(bundle), max_waiting=8)
    with TestClient(create_app(service, Settings(device="cpu"))) as running:
        wait_until_ready(running)
        yield running


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return ct_nifti(tmp_path_factory.mktemp("study") / "ct.nii.gz").read_bytes()


@pytest.fixture(scope="module")
def mask(client, content):
    """What an undisturbed study gives."""
    return segment(client, content)


def segment(client, content):
    answer = client.post("/v1/segment?format=nifti", files={"CT": ("ct.nii.gz", content)})
    assert answer.status_code == 200, answer.text
    return answer.content


def child(client):
    # One that died idle is replaced when the next study comes, and may be gone for a moment then.
    pool = client.app.state.engine._lineup.standing.now._pool
    until(lambda: len(pool._all) == 1)
    (process,) = pool._all
    return process


def until(holds, seconds=60.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.01)


def hand_in_to_a_process_that_hangs(client, content):
    """Return where the job is told of, once it runs, and the number of its process."""
    until(lambda: client.app.state.engine._lineup.standing.now.n_alive == 1)
    process = child(client)
    os.kill(process.pid, signal.SIGSTOP)
    made = client.post("/v1/studies?format=nifti", files={"CT": ("ct.nii.gz", content)}).json()
    address = made["links"]["self"]
    until(lambda: client.get(address).json()["state"] == "running")
    return address, process


def end_of(client, address):
    began = time.monotonic()
    told = client.get(f"{address}?wait=60").json()
    return told, time.monotonic() - began


def test_a_running_study_that_is_cancelled_ends_soon_and_gives_no_result(client, content, mask):
    address, process = hand_in_to_a_process_that_hangs(client, content)
    assert client.delete(address).status_code == 202
    told, seconds = end_of(client, address)
    assert told["state"] == "cancelled"
    assert seconds < SOON_S
    assert not process.is_alive
    assert client.get(f"/v1/results/{told['id']}/report").status_code == 404
    assert segment(client, content) == mask


def test_a_study_ends_at_its_deadline_with_that_reason(client, content, mask):
    service = client.app.state.service
    client.app.state.service = service.model_copy(update={"deadline_s": 1.0})
    address, process = hand_in_to_a_process_that_hangs(client, content)
    told, seconds = end_of(client, address)
    client.app.state.service = service
    assert (told["state"], told["error"]["status"], told["error"]["code"]) == ("failed", 504, "deadline_exceeded")
    assert seconds < SOON_S
    assert not process.is_alive
    assert segment(client, content) == mask


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_dies_of_its_study_fails_that_job_alone(client, content, mask, monkeypatch, number):
    # Whatever else the system kills on this machine.
    monkeypatch.setattr(model_process, "n_memory_kills", lambda: 0)
    address, process = hand_in_to_a_process_that_hangs(client, content)
    # As it does when it begins, but it hangs.
    (folder,) = client.app.state.scratch.glob(f"{prefix_of(address.rpartition('/')[2])}*")
    (folder / UNPACKED).mkdir()
    waiting = client.post("/v1/studies?format=nifti", files={"CT": ("ct.nii.gz", content)}).json()
    os.kill(process.pid, number)
    os.kill(process.pid, signal.SIGCONT)
    told, _ = end_of(client, address)
    assert (told["state"], told["error"]["code"]) == ("failed", "computing_died")
    assert number.name in told["error"]["detail"]
    next_one, _ = end_of(client, waiting["links"]["self"])
    assert next_one["state"] == "done"
    assert client.get(f"/v1/results/{next_one['id']}/mask?format=nifti").content == mask


def test_a_process_that_dies_before_it_begins_takes_no_study_with_it(client, content, mask):
    address, process = hand_in_to_a_process_that_hangs(client, content)
    os.kill(process.pid, signal.SIGKILL)
    told, _ = end_of(client, address)
    assert told["state"] == "done"
    assert client.get(f"/v1/results/{told['id']}/mask?format=nifti").content == mask


@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.2, 0.5])
def test_killed_at_any_point_every_job_ends_once_and_the_service_goes_on(client, content, mask, monkeypatch, delay_s):
    """Waiting, at the begin, while it reads, segments or writes: which of them, the machine decides; what must hold is the same."""
    monkeypatch.setattr(model_process, "n_memory_kills", lambda: 0)
    for _ in range(N_KILLS):
        until(lambda: client.app.state.engine._lineup.standing.now.n_alive == 1)
        made = [client.post("/v1/studies?format=nifti", files={"CT": ("ct.nii.gz", content)}).json() for _ in range(2)]
        time.sleep(delay_s)
        killed = child(client)
        os.kill(killed.pid, signal.SIGKILL)
        # Killed when it had done both, it would else take a study of the next round with it.
        until(lambda killed=killed: not killed.is_alive)
        ends = [end_of(client, job["links"]["self"])[0] for job in made]
        assert {job["state"] for job in ends} <= {"done", "failed"}
        for job in ends:
            if job["state"] == "failed":
                assert job["error"]["code"] == "computing_died"
                assert client.get(f"/v1/results/{job['id']}/report").status_code == 404
            else:
                assert client.get(f"/v1/results/{job['id']}/mask?format=nifti").content == mask
        # One process was killed: it took one study with it at most.
        assert sum(job["state"] == "failed" for job in ends) <= 1


def test_nothing_of_ended_studies_is_left(client):
    folder = client.app.state.scratch
    left = [path for path in folder.rglob("*") if path.is_file() and not path.is_relative_to(folder / "results")]
    assert {path.name.partition("-")[0] for path in left} == {"jobs.db"}
    assert [path for path in (folder / "results").iterdir() if path.name.startswith(".")] == []
