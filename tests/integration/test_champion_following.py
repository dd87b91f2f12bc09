"""The champion changes while clients send studies: none is refused or lost, each answer names the model that made it, and what does not hold never serves."""

import dataclasses
import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lesionflow.config import Settings
from lesionflow.inference import Segmenter
from lesionflow.inference.golden import make_golden
from lesionflow.io.stores.bundles import read_bundle, write_bundle
from lesionflow.phantoms import write_phantoms
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.prediction.served_model import load_model
from lesionflow.prediction.study import segment_study
from lesionflow.registry import registered_bundles
from lesionflow.registry.mlflow_store import artifact_place
from lesionflow.registry.tracking import Tracker
from lesionflow.registry.versions import require_version, set_alias
from lesionflow.serving.api import create_app
from lesionflow.serving.settings import ServiceSettings
from support.served_models import write_untrained_bundle
from support.service_client import TestClient, wait_until_ready
from support.stores import empty_store
from support.zipped_folders import zip_of_folder

NAME = "lesionflow-followed"
#: Twenty with LESIONFLOW_TEST_WHOLE=1: a minute and a half.
N_SWAPS, N_CLIENTS = 20 if os.environ.get("LESIONFLOW_TEST_WHOLE") == "1" else 6, 3
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory):
    """A store with three versions of a model, each with golden cases of its own; version 1 is champion."""
    folder = tmp_path_factory.mktemp("store")
    tracker = Tracker(empty_store(folder), "phantoms")
    for seed in (7, 8, 9):
        register(tracker, folder / f"bundle-{seed}", seed)
    set_alias(NAME, "champion", "1", tracker.tracking_uri)
    return tracker.tracking_uri


def register(tracker, folder, seed, weights_of=None):
    """Register an untrained model; with `weights_of`, under golden cases that another one answered."""
    bundle = read_bundle(write_untrained_bundle(folder, {"CT": "ct"}, seed))
    made = bundle if weights_of is None else dataclasses.replace(bundle, weights=weights_of.weights)
    write_bundle(folder, dataclasses.replace(made, golden=make_golden(bundle)))
    return registered_bundles.register_bundle(
        tracker, tracker.start_run(f"train {seed}"), folder, NAME, program=MLFLOW_PROGRAM, tags={}
    ).version


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantoms")
    return root / write_phantoms(root, n_cases=1, seed=21, modality="ct")[0].study


@pytest.fixture(scope="module")
def study_zip(study):
    return zip_of_folder(study)


@pytest.fixture
def client(tracking_uri):
    set_alias(NAME, "champion", "1", tracking_uri)
    service = ServiceSettings(model="champion", model_name=NAME, follow_s=0.5, max_waiting=N_CLIENTS)
    app = create_app(service, Settings(device="cpu", MLFLOW_TRACKING_URI=tracking_uri))
    with TestClient(app) as running:
        wait_until_ready(running)
        yield running


def following(client):
    return client.get("/v1/model").json()["following"]


def until(holds, what, seconds=120.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def served(client):
    return client.get("/v1/model").json()["model_version"]


def test_swaps_under_load_fail_no_request_and_every_answer_names_its_model(client, tracking_uri, study, study_zip):
    masks = {}
    for version in ("1", "2", "3"):
        model = load_model(version, NAME, tracking_uri)
        prediction = segment_study(model, Segmenter(model.bundle, device="cpu"), study)
        masks[version] = (model.bundle.digest, prediction.identity.sha256)
    assert len({sha256 for _, sha256 in masks.values()}) == 3, "the models must be told apart by their masks"
    over, answers = threading.Event(), []

    def send():
        while not over.is_set():
            answer = client.post("/v1/segment?format=json", files={"study": ("s.zip", study_zip)})
            answers.append((answer.status_code, answer.headers.get("x-lesionflow-model"), answer.json()))

    threads = [threading.Thread(target=send) for _ in range(N_CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, N_SWAPS + 1):
            version = str(number % 3 + 1)
            set_alias(NAME, "champion", version, tracking_uri)
            until(lambda wanted=version: served(client) == wanted, f"swap {number} to {version}")
            n_before = len(answers)
            until(lambda n=n_before: len(answers) > n, "an answer after the swap")
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert {status for status, _, _ in answers} == {200}
    seen = set()
    for _, header, report in answers:
        passport = report["passport"]
        version = passport["model_version"]
        assert header == f"{NAME}/{version}"
        assert (passport["bundle_digest"], passport["mask"]["sha256"]) == masks[version]
        seen.add(version)
    assert seen == {"1", "2", "3"}
    figures = client.get("/metrics").text
    assert f'lesionflow_champion_changes_total{{change="switched"}} {N_SWAPS}.0' in figures
    assert figures.count("lesionflow_model{") == 1


def refused_after(client, tracking_uri, version):
    """Name a version champion, wait until it was looked at, and return what is said of it; what served still does."""
    set_alias(NAME, "champion", version, tracking_uri)
    until(lambda: "refused" in following(client), f"version {version} was refused")
    told = client.get("/v1/model").json()
    assert (told["model_version"], told["following"]["wanted_version"]) == ("1", version)
    assert 'lesionflow_champion_changes_total{change="refused"} 1.0' in client.get("/metrics").text
    return told["following"]["refused"]["reason"]


def answers_as(client, study_zip, version):
    answer = client.post("/v1/segment?format=nifti", files={"study": ("s.zip", study_zip)})
    return (answer.status_code, answer.headers["x-lesionflow-model"]) == (200, f"{NAME}/{version}")


def test_a_champion_with_a_flipped_byte_never_serves(client, tracking_uri, study_zip, tmp_path):
    tracker = Tracker(tracking_uri, "phantoms")
    version = register(tracker, tmp_path / "bundle", 10)
    source = artifact_place(require_version(NAME, version, tracking_uri).source.rstrip("/"), tracking_uri)
    weights = next(Path(source.removeprefix("file://")).rglob("weights.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert "weights.safetensors" in refused_after(client, tracking_uri, version)
    assert answers_as(client, study_zip, "1")
    # And the next that holds is taken.
    set_alias(NAME, "champion", "2", tracking_uri)
    until(lambda: served(client) == "2", "the next champion")
    assert "refused" not in following(client)


def test_a_champion_that_fails_its_golden_cases_never_serves(client, tracking_uri, study_zip, tmp_path):
    other = read_bundle(write_untrained_bundle(tmp_path / "other", {"CT": "ct"}, 12))
    version = register(Tracker(tracking_uri, "phantoms"), tmp_path / "bundle", 11, weights_of=other)
    assert "golden cases" in refused_after(client, tracking_uri, version)
    assert answers_as(client, study_zip, "1")


def test_an_unsigned_champion_never_serves_where_signatures_are_required(
    client, tracking_uri, study_zip, tmp_path, monkeypatch
):
    version = register(Tracker(tracking_uri, "phantoms"), tmp_path / "bundle", 13)
    public = Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "team.pub").write_bytes(pem)
    monkeypatch.setenv("LESIONFLOW_TRUSTED_KEYS", str(tmp_path / "team.pub"))
    assert "signed by a key" in refused_after(client, tracking_uri, version)
    assert answers_as(client, study_zip, "1")


def test_a_registry_that_is_away_changes_nothing(client, tracking_uri, study_zip):
    store = tracking_uri.removeprefix("sqlite:///")
    shutil.move(store, f"{store}.away")
    try:
        until(lambda: "trouble" in following(client), "the registry is missed")
        assert answers_as(client, study_zip, "1")
    finally:
        shutil.move(f"{store}.away", store)
    set_alias(NAME, "champion", "2", tracking_uri)
    until(lambda: served(client) == "2", "the next champion")
