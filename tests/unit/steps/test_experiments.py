"""What `dvc exp run` does to the registry: nothing."""

import json

import mlflow
import pytest

from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.ledger import read_ledger
from lesionflow.io.stores.registrations import read_registration
from lesionflow.registry.versions import list_versions
from lesionflow.steps import run_step
from lesionflow.steps.experiments import experiment_name
from support.bundles import small_bundle
from support.promotions import NAME, PromotionWorkspace
from support.stores import empty_store


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, ""),
        ({"DVC_STAGE": "promote", "DVC_ROOT": "/w"}, ""),
        ({"DVC_EXP_NAME": "brave-newt", "DVC_EXP_BASELINE_REV": "abc"}, "brave-newt"),
        ({"DVC_EXP_BASELINE_REV": "abc"}, "abc"),
    ],
)
def test_an_experiment_is_known_by_what_dvc_tells_its_stages(environment, name):
    assert experiment_name(environment) == name


def test_it_registers_nothing(tmp_path, monkeypatch):
    uri = empty_store(tmp_path / "store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("DVC_EXP_NAME", "brave-newt")
    digest = write_bundle(tmp_path / "bundle", small_bundle(1, ""))
    (tmp_path / "evaluation").mkdir()
    facts = {"bundle_digest": digest, "run_id": "", "test_set_sha256": "5e7", "n_cases": 3}
    (tmp_path / "evaluation" / "evaluation.json").write_text(json.dumps(facts))
    output = tmp_path / "registration.json"
    inputs = {"bundle": tmp_path / "bundle", "evaluation": tmp_path / "evaluation"}
    assert run_step("register", {"model_name": NAME}, inputs, {"registration": output}) == {"version": 0.0}
    kept = read_registration(output)
    assert (kept.version, kept.experiment, kept.bundle_digest) == ("", "brave-newt", digest)
    assert list_versions(NAME, uri) == ()


def test_it_judges_nobody_and_the_champion_stays(tmp_path, monkeypatch):
    workspace = PromotionWorkspace(tmp_path, monkeypatch)
    workspace.dice = {"1": 0.5, "2": 0.99}
    workspace.promote("1")
    before, scored = workspace.ledger.read_bytes(), list(workspace.scored)
    monkeypatch.setenv("DVC_EXP_NAME", "brave-newt")
    decision = workspace.promote("2")
    assert (decision["promote"], decision["verdict"]) == (False, "not judged")
    assert "dvc exp apply brave-newt" in decision["sentence"]
    assert (decision["champion_version_before"], decision["champion_version_after"]) == ("1", "1")
    assert "Version 1 stays champion" in (workspace.folder / "decision.html").read_text()
    assert workspace.champion() == "1"
    # No look at the locked test set was taken, and the ledger is as it was.
    assert (workspace.ledger.read_bytes(), workspace.scored) == (before, scored)
    assert "promotion" not in mlflow.MlflowClient(workspace.uri).get_model_version(NAME, "2").tags
    assert [entry.kind for entry in read_ledger(workspace.ledger)].count("decision") == 1
