"""A call that MLflow refuses costs no score: what was made lies on disk, and the same command shows it later without making it anew."""

import json

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from lesionflow import __version__
from lesionflow.errors import ServiceError
from lesionflow.steps.evaluate.unlogged import MARK, find_unlogged, mark_unlogged
from support.bundles import constant_bundle
from support.evaluated import DICE_OF_ALL, EvaluationWorkspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        made = EvaluationWorkspace(tmp_path_factory.mktemp("unlogged"))
        patch.setenv("MLFLOW_TRACKING_URI", made.uri)
        patch.setenv("LESIONFLOW_DEVICE", "cpu")
        yield made


@pytest.fixture(autouse=True)
def _store(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", workspace.uri)
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")


def _refuse(*_, **__):
    raise MlflowException("API request failed with exception: Connection refused")


def test_what_mlflow_refuses_is_on_disk_and_is_shown_when_the_command_is_given_again(workspace, monkeypatch) -> None:
    bundle = workspace.train(constant_bundle(9.0), "refused")
    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "log_batch", _refuse)
        with pytest.raises(ServiceError, match=r"does not answer.*the same command given again shows them"):
            workspace.evaluate(bundle, "refused")
    folder = workspace.folder / "refused"
    figures = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert figures["dice"]["mean"] == pytest.approx(DICE_OF_ALL)
    assert len(list((folder / "overlays").iterdir())) == len(workspace.test)
    assert json.loads((folder / MARK).read_text(encoding="utf-8"))["lesionflow_version"] == __version__
    assert "test/dice" not in mlflow.MlflowClient(workspace.uri).get_run(bundle.card.run_id).data.metrics

    def never(*_, **__):
        pytest.fail("Expected the scores that lie on disk, found them made anew.")

    with monkeypatch.context() as patch:
        patch.setattr("lesionflow.steps.evaluate.step.score_bundle", never)
        workspace.evaluate(bundle, "refused")
    client = mlflow.MlflowClient(workspace.uri)
    assert client.get_run(bundle.card.run_id).data.metrics["test/dice"] == pytest.approx(DICE_OF_ALL)
    assert not (folder / MARK).exists()
    logged = {item.path for item in client.list_artifacts(bundle.card.run_id, "evaluation")}
    assert {"evaluation/cases.parquet", "evaluation/report.html"} <= logged
    assert f"evaluation/{MARK}" not in logged
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8")) == figures


def test_a_store_that_is_down_is_told_of_before_anything_is_scored(workspace, monkeypatch) -> None:
    bundle = workspace.train(constant_bundle(9.0), "down")

    def never(*_, **__):
        pytest.fail("Expected the fault before any score.")

    monkeypatch.setattr("lesionflow.steps.evaluate.step.score_bundle", never)
    monkeypatch.setattr(mlflow.MlflowClient, "get_run", _refuse)
    with pytest.raises(ServiceError, match="does not answer"):
        workspace.evaluate(bundle, "down")


def test_scores_of_something_else_are_made_anew(tmp_path) -> None:
    about = {"bundle_digest": "a", "test_set_sha256": "b"}
    assert find_unlogged(tmp_path, about) is None
    (tmp_path / "evaluation.json").write_text(json.dumps(about))
    assert find_unlogged(tmp_path, about) is None
    mark_unlogged(tmp_path, "down")
    # The tables are not there.
    assert find_unlogged(tmp_path, about) is None
    assert find_unlogged(tmp_path, {**about, "bundle_digest": "c"}) is None
    (tmp_path / MARK).write_text("[]")
    assert find_unlogged(tmp_path, about) is None


def test_scores_of_another_version_or_test_set_are_made_anew(workspace) -> None:
    folder = workspace.evaluate(constant_bundle(9.0), "kept")
    about = {k: v for k, v in json.loads((folder / "evaluation.json").read_text()).items() if k != "against_champion"}
    assert find_unlogged(folder, about) is None
    mark_unlogged(folder, "down")
    kept = find_unlogged(folder, about)
    assert set(kept.pictures) == set(workspace.test) == set(kept.scores.cases["case_id"])
    assert find_unlogged(folder, {**about, "test_set_sha256": "0"}) is None
    (folder / MARK).write_text(json.dumps({"lesionflow_version": "0.0.1", "fault": ""}))
    assert find_unlogged(folder, about) is None
    mark_unlogged(folder, "down")
    next((folder / "overlays").iterdir()).unlink()
    assert find_unlogged(folder, about) is None


def test_labels_as_people_call_them_reach_mlflow_and_files(workspace) -> None:
    bundle = workspace.train(constant_bundle(9.0, labels={"GTV (T)": 1, "NCR/NET": 2}), "names")
    folder = workspace.evaluate(bundle, "names")
    run = mlflow.MlflowClient(workspace.uri).get_run(bundle.card.run_id)
    assert "test/GTV_T/dice" in run.data.metrics
    assert "test/NCR_NET/dice" in run.data.metrics
    for key in ("GTV_T", "NCR_NET"):
        assert (folder / "plots" / f"confusion_{key}.png").exists()
    assert set(json.loads((folder / "metrics.json").read_text())["targets"]) == {"GTV (T)", "NCR/NET"}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<h2 id='target-GTV_T'>GTV (T)</h2>" in page
    assert "href='#target-NCR_NET'" in page
