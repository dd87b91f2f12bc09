import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml

from lesionflow.cohort.splitting import digest_of_test_set
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.splits import read_split
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.models import find_version, register_bundle, rollback, set_champion
from lesionflow.registry.tracking import Tracker
from lesionflow.steps import run_step
from lesionflow.steps.register import Registration
from support.bundles import constant_bundle, small_bundle
from support.case_folders import write_cases
from support.stores import empty_store

NAME = "lesionflow-knees"
PRESET = yaml.safe_load((PRESETS_FOLDER / "phantom_ct.yaml").read_text())
PARAMS = {**PRESET["promote"], "model_name": NAME, "n_bootstrap": 500}


class Workspace:
    """Cases, a split of them, a store; challengers are registered with the scores that a test gives them."""

    def __init__(self, folder):
        self.folder = folder
        self.uri = empty_store(folder / "store")
        self.tracker = Tracker(self.uri, "knees")
        self.table = write_cases(folder / "cases", 12)
        (folder / "validation").mkdir()
        (folder / "validation" / "quarantine.json").write_text("{}")
        self.splits = folder / "splits.json"
        inputs = {"cases": folder / "cases", "validation": folder / "validation"}
        run_step("split", {**PRESET["split"], "test_fraction": 0.34}, inputs, {"splits": self.splits})
        self.test = read_split(self.splits).test

    def challenge(self, bundle, dice, case_ids=None, digest=None):
        """Register a bundle and write its evaluation."""
        run_id = self.tracker.start_run("train")
        bundle = type(bundle)(bundle.plan, bundle.weights, bundle.card.model_copy(update={"run_id": run_id}))
        made = write_bundle(self.folder / "bundle", bundle)
        registered = register_bundle(
            self.tracker, run_id, self.folder / "bundle", NAME, program=MLFLOW_PROGRAM, tags={}
        )
        registration = Registration(
            model_name=NAME, version=registered.version, run_id=run_id, bundle_digest=made, alias="challenger"
        )
        (self.folder / "registration.json").write_text(registration.model_dump_json())
        case_ids = list(self.test if case_ids is None else case_ids)
        patients = self.table.set_index("case_id")["patient_id"]
        scores = {"case_id": case_ids, "patient_id": patients[case_ids].to_numpy(), "target": "tumor", "dice": dice}
        evaluation = self.folder / "evaluation"
        evaluation.mkdir(exist_ok=True)
        pd.DataFrame(scores).to_parquet(evaluation / "cases.parquet")
        content = {"bundle_digest": made, "run_id": run_id, "test_set_sha256": digest or self.digest()}
        (evaluation / "evaluation.json").write_text(json.dumps(content))
        return registration

    def digest(self):
        rows = self.table[["case_id", "image_sha256", "mask_sha256"]].itertuples(index=False)
        return digest_of_test_set(read_split(self.splits), {row[0]: (row[1], row[2]) for row in rows})

    def promote(self, **changes):
        f = self.folder
        inputs = {
            "cases": f / "cases",
            "splits": self.splits,
            "evaluation": f / "evaluation",
            "registration": f / "registration.json",
        }
        counts = run_step("promote", {**PARAMS, **changes}, inputs, {"promotion": f / "reports" / "promotion.json"})
        return counts, json.loads((f / "reports" / "promotion.json").read_text())

    def champion(self):
        found = find_version(NAME, "champion", self.uri)
        return found.version if found else None


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")
    workspace = Workspace(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", workspace.uri)
    return workspace


def _broken(promotion):
    return [reason["rule"] for reason in promotion["reasons"] if not reason["held"]]


def test_the_first_that_reaches_the_floor_becomes_champion(workspace):
    registration = workspace.challenge(small_bundle(1), 0.75)
    counts, promotion = workspace.promote()
    assert counts["promoted"] == 1.0
    assert counts["score"] == 0.75
    assert promotion["promote"] is True
    assert (promotion["champion_version_before"], promotion["champion_version_after"]) == (None, "1")
    assert workspace.champion() == "1"
    tags = mlflow.MlflowClient(workspace.uri).get_run(registration.run_id).data.tags
    assert tags["promotion"] == "promoted"
    assert tags["promotion.min_score"].startswith("held: Mean dice of the challenger 0.7500")


def test_run_again_after_a_kill_it_is_champion_already(workspace):
    workspace.challenge(small_bundle(1), 0.75)
    workspace.promote()
    (workspace.folder / "reports" / "promotion.json").unlink()
    counts, promotion = workspace.promote()
    assert counts == {"promoted": 1.0}
    assert [reason["rule"] for reason in promotion["reasons"]] == ["already_champion"]
    assert (promotion["champion_version_before"], promotion["champion_version_after"]) == (None, "1")
    assert workspace.champion() == "1"


def test_below_the_floor_is_a_value_and_nobody_is_champion(workspace):
    workspace.challenge(small_bundle(1), 0.25)
    counts, promotion = workspace.promote()
    assert counts["promoted"] == 0.0
    assert _broken(promotion) == ["min_score"]
    assert promotion["champion_version_after"] is None
    assert workspace.champion() is None
    assert find_version(NAME, "1", workspace.uri).tags["promotion"] == "refused: min_score"


def test_undefined_figures_are_null_in_the_json(workspace):
    workspace.challenge(small_bundle(1), np.nan)
    _, promotion = workspace.promote()
    assert promotion["reasons"][3]["figures"] == {"score": None, "min_score": 0.3}
    assert "scores_defined" in _broken(promotion)


def test_scores_of_another_test_set_do_not_count(workspace):
    workspace.challenge(small_bundle(1), 0.75, digest="0" * 64)
    assert _broken(workspace.promote()[1]) == ["same_test_set"]
    workspace.challenge(small_bundle(2), 0.75, case_ids=workspace.test[1:])
    assert _broken(workspace.promote()[1]) == ["same_test_set"]


def test_the_champion_is_scored_anew_and_a_better_challenger_succeeds(workspace):
    workspace.challenge(constant_bundle(-9.0), 0.75)  # it finds nothing, whatever its evaluation said
    workspace.promote()
    registration = workspace.challenge(constant_bundle(9.0), 0.35)
    counts, promotion = workspace.promote()
    assert promotion["promote"] is True
    assert counts["champion_score"] == 0.0
    assert counts["gain"] == counts["gain_low"] == pytest.approx(0.35)
    assert (promotion["champion_version_before"], promotion["champion_version_after"]) == ("1", "2")
    assert find_version(NAME, "previous", workspace.uri).version == "1"
    # Killed after the alias moved: the same decision, the same versions.
    _, again = workspace.promote()
    assert (again["champion_version_before"], again["champion_version_after"]) == ("1", registration.version)
    assert rollback(NAME, workspace.uri) == ("2", "1")


def test_a_worse_challenger_leaves_the_champion(workspace):
    workspace.challenge(constant_bundle(9.0), 0.75)
    workspace.promote()
    workspace.challenge(constant_bundle(-9.0), 0.32)
    counts, promotion = workspace.promote()
    # The champion calls all 5 x 40 x 56 voxels tumor, of which 3 x 24 x 30 are.
    assert counts["champion_score"] == pytest.approx(2 * 2160 / (2160 + 11200))
    assert _broken(promotion) == ["better_than_champion"]
    assert workspace.champion() == "1"


@pytest.mark.parametrize("changes", [{"metric": "beauty"}, {"metric": "tp"}, {"model_name": "other"}])
def test_params_that_do_not_fit_are_refused(workspace, changes):
    workspace.challenge(small_bundle(1), 0.75)
    with pytest.raises(ConfigError, match=r"promote\."):
        workspace.promote(**changes)
    assert workspace.champion() is None


def test_an_evaluation_without_the_metric_is_an_artifact_error(workspace):
    workspace.challenge(small_bundle(1), 0.75)
    with pytest.raises(ArtifactError, match="hd95_mm"):
        workspace.promote(metric="hd95_mm")


def test_an_evaluation_of_another_bundle_is_an_artifact_error(workspace):
    workspace.challenge(small_bundle(1), 0.75)
    registration = json.loads((workspace.folder / "registration.json").read_text())
    (workspace.folder / "registration.json").write_text(json.dumps({**registration, "bundle_digest": "f" * 64}))
    with pytest.raises(ArtifactError, match="Run evaluate again"):
        workspace.promote()


def test_a_champion_whose_files_are_gone_is_an_error_not_a_defeat(workspace):
    workspace.challenge(constant_bundle(9.0), 0.75)
    workspace.promote()
    source = Path(find_version(NAME, "1", workspace.uri).source.removeprefix("file://"))
    (source / "artifacts" / "bundle" / "weights.safetensors").unlink()
    workspace.challenge(constant_bundle(-9.0), 0.9)
    with pytest.raises(ArtifactError):
        workspace.promote()
    assert workspace.champion() == "1"
    set_champion(NAME, "2", workspace.uri)
    assert workspace.champion() == "2"
