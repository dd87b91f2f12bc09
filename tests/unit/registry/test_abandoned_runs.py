"""Runs that a pipeline left open, in a real store: closed, with the reason on their page; all others stay as they are."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from lesionflow.config.required_settings import REQUIRED
from lesionflow.errors import ConfigError, ServiceError
from lesionflow.registry.abandoned_runs import close_left_open
from lesionflow.registry.tracking import Tracker


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One for all tests, each of which has pipelines of its own."""
    return f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"


@pytest.fixture
def uri(store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    return store


def test_what_the_pipeline_left_open_is_closed_and_says_why_and_nothing_else_is_touched(uri: str) -> None:
    ours = Tracker(uri, "phantoms", pipeline_run="run-1")
    parent = ours.start_run("all")
    fold = ours.start_run("fold", parent=parent)
    done = ours.start_run("done")
    ours.finish(done)
    elsewhere = Tracker(uri, "others", pipeline_run="run-1").start_run("another data set's")
    strangers = [
        Tracker(uri, "phantoms", pipeline_run="run-2").start_run("another pipeline's"),
        Tracker(uri, "phantoms").start_run("by hand"),
    ]

    closed = close_left_open("run-1", state="FAILED", error_code=137, error_message="train-step was killed")

    assert set(closed) == {parent, fold, elsewhere}
    client = MlflowClient(uri)
    for run_id in closed:
        run = client.get_run(run_id)
        assert run.info.status == "FAILED"
        assert run.info.end_time is not None
        assert run.data.tags["closed_because"] == "train-step was killed (code 137)"
        assert run.data.tags["closed_by"] == "pipeline run-1"
    assert client.get_run(done).info.status == "FINISHED"
    assert "closed_because" not in client.get_run(done).data.tags
    assert [client.get_run(run_id).info.status for run_id in strangers] == ["RUNNING", "RUNNING"]
    assert close_left_open("run-1", state="FAILED") == ()


@pytest.mark.parametrize(
    ("state", "status"),
    [("CANCELLED", "KILLED"), ("CANCELED", "KILLED"), ("FAILED", "FAILED"), ("SUCCEEDED", "FAILED")],
)
def test_a_run_that_somebody_stopped_is_killed_and_any_other_has_failed(uri: str, state: str, status: str) -> None:
    pipeline = f"pipeline-{state}"
    run_id = Tracker(uri, "phantoms", pipeline_run=pipeline).start_run("all")
    assert close_left_open(pipeline, state=state) == (run_id,)
    run = MlflowClient(uri).get_run(run_id)
    assert (run.info.status, run.data.tags["closed_because"]) == (status, f"the pipeline ended as {state}")


def test_a_training_that_goes_on_in_another_pipeline_belongs_to_that_one(uri: str) -> None:
    run_id = Tracker(uri, "phantoms", pipeline_run="first").start_run("all")
    close_left_open("first", state="FAILED", error_message="the node went away")
    Tracker(uri, "phantoms", pipeline_run="second").go_on_with(run_id)
    run = MlflowClient(uri).get_run(run_id)
    assert (run.info.status, run.data.tags["pipeline_run"]) == ("RUNNING", "second")
    assert "closed_because" not in run.data.tags
    assert close_left_open("first", state="FAILED") == ()
    assert close_left_open("second", state="FAILED") == (run_id,)


def test_a_missing_store_is_told_and_none_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'gone.db'}")
    with pytest.raises(ServiceError, match=r"gone\.db"):
        close_left_open("run-1", state="FAILED")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_setting_is_told_before_the_store_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRED, '{"MLFLOW_TRACKING_PASSWORD": "key `password` of Secret lesionflow-mlflow"}')
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_PASSWORD"):
        close_left_open("run-1", state="FAILED")


def test_a_password_in_the_orchestrators_words_is_not_written(uri: str) -> None:
    run_id = Tracker(uri, "phantoms", pipeline_run="with-password").start_run("all")
    close_left_open("with-password", state="FAILED", error_message="no answer of https://user:hunter2@mlflow/api")
    assert "hunter2" not in MlflowClient(uri).get_run(run_id).data.tags["closed_because"]
