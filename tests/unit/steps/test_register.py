import json
from pathlib import Path

import mlflow
import pytest

from lesionflow.errors import ArtifactError
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.registrations import read_registration
from lesionflow.registry.models import fetch_bundle, list_versions
from lesionflow.registry.tracking import Tracker
from lesionflow.steps import run_step
from support.bundles import small_bundle
from support.stores import empty_store

NAME = "lesionflow-knees"


@pytest.fixture
def uri(tmp_path, monkeypatch):
    uri = empty_store(tmp_path / "store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


def _evaluate(folder, digest):
    folder.mkdir(exist_ok=True)
    evaluation = {"bundle_digest": digest, "run_id": "", "test_set_sha256": "5e7", "n_cases": 3}
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    (folder / "metrics.json").write_text(json.dumps({"dice": {"mean": 0.75, "low": 0.5, "high": 0.875, "n": 3}}))


def _run(tmp_path, seed=1, run_id="", digest=None):
    made = write_bundle(tmp_path / "bundle", small_bundle(seed, run_id))
    _evaluate(tmp_path / "evaluation", digest or made)
    inputs = {"bundle": tmp_path / "bundle", "evaluation": tmp_path / "evaluation"}
    output = tmp_path / "reports" / "registration.json"
    counts = run_step("register", {"model_name": NAME}, inputs, {"registration": output})
    return counts, read_registration(output)


def test_the_bundle_becomes_the_challenger_with_its_lineage(tmp_path, uri):
    run_id = Tracker(uri, "knees").start_run("train")
    counts, registration = _run(tmp_path, run_id=run_id)
    assert counts == {"version": 1.0}
    assert (registration.model_name, registration.version, registration.run_id) == (NAME, "1", run_id)
    seen = mlflow.MlflowClient(uri).get_model_version_by_alias(NAME, "challenger")
    assert seen.run_id == run_id
    expected = {
        "bundle_digest": registration.bundle_digest,
        "code_revision": "abc123",
        "data_revision": "d" * 64,
        "test_dice": "0.7500",
        "test_dice_interval": "0.5000 to 0.8750",
        "test_set_sha256": "5e7",
    }
    assert {key: seen.tags[key] for key in expected} == expected
    assert fetch_bundle(NAME, "challenger", uri).digest == registration.bundle_digest


def test_the_same_bundle_again_writes_the_same_bytes_and_no_version(tmp_path, uri):
    run_id = Tracker(uri, "knees").start_run("train")
    _run(tmp_path, run_id=run_id)
    first = (tmp_path / "reports" / "registration.json").read_bytes()
    _run(tmp_path, run_id=run_id)
    assert (tmp_path / "reports" / "registration.json").read_bytes() == first
    _, other = _run(tmp_path, seed=2, run_id=run_id)
    assert other.version == "2"
    assert [v.aliases for v in list_versions(NAME, uri)] == [("challenger",), ()]


def test_a_bundle_of_an_unknown_run_gets_one(tmp_path, uri, caplog):
    _, registration = _run(tmp_path, run_id="0" * 32)
    assert "does not know run" in caplog.text
    run = mlflow.MlflowClient(uri).get_run(registration.run_id)
    assert (run.info.run_name, run.info.status) == ("imported bundle", "FINISHED")
    assert run.data.params == {"train.seed": "1"}


def test_an_evaluation_of_another_bundle_is_refused(tmp_path, uri):
    with pytest.raises(ArtifactError, match="Run evaluate again"):
        _run(tmp_path, digest="f" * 64)
    assert list_versions(NAME, uri) == ()
    assert not (tmp_path / "reports" / "registration.json").exists()


@pytest.mark.parametrize("content", [None, "{", "[]", '{"version": "1"}'])
def test_a_broken_registration_is_an_artifact_error(tmp_path, content):
    path = Path(tmp_path / "registration.json")
    if content is not None:
        path.write_text(content)
    with pytest.raises(ArtifactError, match=r"registration\.json"):
        read_registration(path)
