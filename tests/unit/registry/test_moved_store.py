import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lesionflow.io.stores.bundles import write_bundle
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.moved_store import bring_along, moved_place
from lesionflow.registry.registered_bundles import fetch_bundle, register_bundle
from lesionflow.registry.tracking import Tracker
from lesionflow.registry.versions import CHAMPION
from support.bundles import small_bundle
from support.champions import set_champion
from support.stores import empty_store

NAME = "lesionflow-knees"


@pytest.fixture(scope="module")
def champion(tmp_path_factory):
    """A workspace's store with a champion and a run that logged a file; its folder, which tests only copy."""
    folder = tmp_path_factory.mktemp("before") / "work space"
    tracker = Tracker(empty_store(folder), "knees")
    run_id = tracker.start_run("train")
    write_bundle(folder / "candidate", small_bundle(1, run_id))
    version = register_bundle(tracker, run_id, folder / "candidate", NAME, program=MLFLOW_PROGRAM, tags={})
    set_champion(NAME, "1", tracker.tracking_uri)
    note = folder / "note.txt"
    note.write_text("seen")
    tracker.log_artifact(run_id, note)
    # One that goes on after the move: this process has not written to it, so MLflow has no place of it in mind.
    unfinished = tracker.start_run("unfinished")
    shutil.move(folder, folder.with_name("elsewhere"))
    return folder.with_name("elsewhere"), version, unfinished


@pytest.fixture
def moved(champion, tmp_path):
    return Path(shutil.copytree(champion[0], tmp_path / "now here")), champion[1]


def _uri(folder):
    return f"sqlite:///{folder}/mlflow.db"


def test_a_moved_workspace_keeps_its_champion_and_its_runs_files(moved):
    folder, version = moved
    assert fetch_bundle(NAME, CHAMPION, _uri(folder)).digest == version.bundle_digest
    # What MLflow itself reads, as its own pages do.
    client = MlflowClient(_uri(folder))
    assert "note.txt" in [entry.path for entry in client.list_artifacts(version.run_id)]
    location = client.get_experiment_by_name("knees").artifact_location
    assert location == f"{folder.as_uri()}/mlartifacts/knees"


def test_what_is_written_after_a_move_lies_beside_the_database(champion, moved, tmp_path):
    folder, _ = moved
    tracker = Tracker(_uri(folder), "knees")
    (tmp_path / "late.txt").write_text("late")
    for run_id in (champion[2], tracker.start_run("again")):
        tracker.log_artifact(run_id, tmp_path / "late.txt")
    assert len(list((folder / "mlartifacts").rglob("late.txt"))) == 2


def test_artifacts_that_lie_elsewhere_on_purpose_stay_there(moved, tmp_path):
    folder, _ = moved
    elsewhere = tmp_path / "disk" / "mlartifacts" / "other"
    elsewhere.mkdir(parents=True)
    MlflowClient(_uri(folder)).create_experiment("other", elsewhere.as_uri())
    assert bring_along(folder / "mlflow.db") == 1
    assert bring_along(folder / "mlflow.db") == 0
    assert MlflowClient(_uri(folder)).get_experiment_by_name("other").artifact_location == elsewhere.as_uri()


def test_in_a_store_that_is_only_read_an_artifact_is_looked_for_beside_it(moved):
    folder, version = moved
    place = moved_place(version.source, folder / "mlflow.db")
    assert place.startswith(f"{folder.as_uri()}/mlartifacts/knees/models/")
    assert (Path(place.removeprefix("file://").replace("%20", " ")) / "artifacts" / "bundle").is_dir()
    gone = "file:///gone/mlartifacts/knees/models/m-0/artifacts"
    assert moved_place(gone, folder / "mlflow.db") == gone
    assert moved_place("s3://bucket/x", folder / "mlflow.db") == "s3://bucket/x"


def test_a_file_that_is_no_store_is_left_alone(tmp_path):
    path = tmp_path / "mlflow.db"
    path.write_text("no database" * 200)
    assert bring_along(path) == 0
    assert path.read_text() == "no database" * 200
    with closing(sqlite3.connect(tmp_path / "empty.db")) as connection, connection:
        connection.execute("CREATE TABLE t (x INTEGER)")
    assert bring_along(tmp_path / "empty.db") == 0
