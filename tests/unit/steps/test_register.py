import json
from pathlib import Path

import mlflow
import pytest

from lesionflow.errors import ArtifactError
from lesionflow.io.attestations.content import sha256_of_content
from lesionflow.io.attestations.folder import keep_statement
from lesionflow.io.attestations.statements import Attestation, write_statement
from lesionflow.io.signing.keys import PRIVATE, make_keys
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.registrations import read_registration
from lesionflow.registry.pages.descriptions import put_section
from lesionflow.registry.registered_bundles import fetch_attested, fetch_bundle, fetched_version
from lesionflow.registry.tracking import Tracker
from lesionflow.registry.versions import list_versions, set_alias
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


def test_the_card_is_the_versions_description_and_lies_under_its_seal_in_both_forms(tmp_path, uri, monkeypatch):
    team = make_keys(tmp_path / "team")
    monkeypatch.setenv("LESIONFLOW_SIGNING_KEY", str(tmp_path / "team" / PRIVATE))
    run_id = Tracker(uri, "knees").start_run("train")
    _run(tmp_path, run_id=run_id)
    set_alias(NAME, "champion", "1", uri)
    _run(tmp_path, seed=2, run_id=run_id)
    client = mlflow.MlflowClient(uri)
    first, second = (client.get_model_version(NAME, number).description for number in ("1", "2"))
    assert "no earlier version" in first
    assert "What changed since version 1" in second
    with fetched_version(NAME, "2", uri) as (version, folder, seal):
        assert seal.key_id == team.key_id
        assert put_section("", "card", (folder / "model_card.md").read_text()) == second
        page = (folder / "model_card.html").read_text()
    for words in (version.bundle_digest, team.key_id, "Research use only"):
        assert words in second
        assert words in page


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


def test_the_steps_behind_a_bundle_go_with_its_version_and_end_at_its_registration(tmp_path, uri, caplog):
    run_id = Tracker(uri, "knees").start_run("train")
    _run(tmp_path, run_id=run_id)
    assert "no step attests bundle" in caplog.text
    assert fetch_attested(NAME, "1", uri)[1] is None
    digest = write_bundle(tmp_path / "bundle", small_bundle(2, run_id))
    _evaluate(tmp_path / "evaluation", digest)
    evaluation = sha256_of_content(tmp_path / "evaluation", tmp_path / "memory", workers=1)
    made = [("ingest", {"cases": "c"}, {"raw": "r"}), ("train", {"bundle": digest}, {"cases": "c"})]
    made += [("evaluate", {"evaluation": evaluation}, {"bundle": digest, "cases": "c"})]
    for step, subjects, materials in made:
        told = Attestation(step, subjects, materials, "", "", "c", "", "", "")
        keep_statement(tmp_path / "attestations", write_statement(told, None))
    _run(tmp_path, seed=2, run_id=run_id)
    bundle, chain = fetch_attested(NAME, "2", uri)
    assert (bundle.digest, chain.faults) == (digest, ())
    assert {step.step for step in chain.steps} == {"ingest", "train", "evaluate", "register"}
    assert chain.steps[0].data_revision == "c"
