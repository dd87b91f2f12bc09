import json
import math
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from lesionflow.errors import ServiceError
from lesionflow.registry.mlflow_store import sqlite_path
from lesionflow.registry.tracking import Tracker, flatten


@pytest.fixture(scope="module")
def tracker(tmp_path_factory):
    return Tracker(f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db", "knees")


def test_what_is_logged_can_be_read_with_mlflow_itself(tracker):
    run_id = tracker.start_run("first", {"code": "abc"})
    tracker.log_params(run_id, {"train": {"seed": 3, "augmentation": {"noise_std": 0.1}}, "axes": (0, 2)})
    tracker.log_metrics(run_id, {"train/loss": 0.5}, step=0)
    tracker.log_metrics(run_id, {"train/loss": 0.25, "hd95": math.nan}, step=1)
    tracker.set_tags(run_id, {"gate": "held"})
    tracker.finish(run_id)
    client = mlflow.MlflowClient(tracker.tracking_uri)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "first"
    assert run.data.params == {"train.seed": "3", "train.augmentation.noise_std": "0.1", "axes": "(0, 2)"}
    assert [(m.step, m.value) for m in client.get_metric_history(run_id, "train/loss")] == [(0, 0.5), (1, 0.25)]
    assert math.isnan(run.data.metrics["hd95"])
    assert run.data.tags["gate"] == "held"
    assert run.data.tags["code"] == "abc"


def test_more_than_a_hundred_params_fit(tracker):
    run_id = tracker.start_run("many")
    tracker.log_params(run_id, {f"p{i}": i for i in range(250)} | {"long": "x" * 7000})
    params = tracker.client.get_run(run_id).data.params
    assert len(params) == 251
    assert len(params["long"]) == 6000


def test_a_table_logged_again_replaces_the_first_and_keeps_others(tracker):
    mlflow.set_tracking_uri(tracker.tracking_uri)  # load_table looks there, whatever the client's own URI
    run_id = tracker.start_run("table")
    tracker.log_table(run_id, pd.DataFrame({"case_id": ["a", "b"], "dice": [0.5, math.nan]}), "other.json")
    for dice in (0.5, 0.75):
        tracker.log_table(run_id, pd.DataFrame({"case_id": ["a"], "dice": [dice]}), "cases.json")
    table = tracker.client.load_table(tracker.experiment_id, "cases.json", [run_id])
    assert table.to_dict("records") == [{"case_id": "a", "dice": 0.75}]
    logged = json.loads(tracker.client.get_run(run_id).data.tags["mlflow.loggedArtifacts"])
    assert [e["path"] for e in logged] == ["other.json", "cases.json"]


def test_a_description_is_renewed_until_a_person_writes_another(tracker):
    client = mlflow.MlflowClient(tracker.tracking_uri)
    with tracker.run("described") as run_id:
        for text in ("first | µ", "second"):
            tracker.describe(run_id, text)
            assert client.get_run(run_id).data.tags["mlflow.note.content"] == text
        client.set_tag(run_id, "mlflow.note.content", "what I saw")
        tracker.describe(run_id, "third")
        assert client.get_run(run_id).data.tags["mlflow.note.content"] == "what I saw"
    with tracker.run("described by a person first") as run_id:
        client.set_tag(run_id, "mlflow.note.content", "what I saw")
        tracker.describe(run_id, "ours")
        assert client.get_run(run_id).data.tags["mlflow.note.content"] == "what I saw"


def test_pictures_files_and_data_land_beside_the_database(tracker, tmp_path):
    run_id = tracker.start_run("files")
    tracker.log_image(run_id, np.zeros((5, 7, 3), np.uint8), key="overlays/c-1", step=2)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "note.txt").write_text("hello")
    tracker.log_artifact(run_id, tmp_path / "deep" / "note.txt", "notes")
    tracker.log_artifacts(run_id, tmp_path, "all")
    tracker.log_dataset(run_id, name="knees", digest="ab" * 32, context="training")
    run = tracker.client.get_run(run_id)
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    assert folder.is_relative_to(sqlite_path(tracker.tracking_uri).parent / "mlartifacts" / "knees")
    assert (folder / "notes" / "note.txt").read_text() == "hello"
    assert (folder / "all" / "deep" / "note.txt").exists()
    assert [p.name.split("+")[:3] for p in folder.glob("images/*.png")] == [["overlays~c-1", "step", "2"]]
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("knees", ("ab" * 32)[:36])
    assert used.tags[0].value == "training"


@pytest.mark.parametrize(("error", "status"), [(RuntimeError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_an_interrupted_run_is_closed_as_such(tracker, error, status):
    with pytest.raises(error), tracker.run("broken") as run_id:
        raise error
    assert tracker.client.get_run(run_id).info.status == status


def test_a_whole_run_is_finished_and_known(tracker):
    with tracker.run("whole") as run_id:
        assert tracker.has_run(run_id)
    assert tracker.client.get_run(run_id).info.status == "FINISHED"
    assert not tracker.has_run("0" * 32)


def test_the_experiment_is_found_again(tracker):
    assert Tracker(tracker.tracking_uri, "knees").experiment_id == tracker.experiment_id


def test_an_unknown_run_is_a_service_error(tracker):
    with pytest.raises(ServiceError):
        tracker.log_metrics("0" * 32, {"a": 1.0})


def test_nested_params_get_dotted_names():
    assert flatten({"a": {"b": {"c": 1}}, "d": {}}) == {"a.b.c": 1, "d": {}}
