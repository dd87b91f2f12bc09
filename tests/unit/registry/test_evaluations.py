"""Evaluations in MLflow by all the names that people call a run."""

import json

import pandas as pd
import pytest

from lesionflow.errors import ArtifactError
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.evaluations import ABOUT, CASES
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry import registered_bundles
from lesionflow.registry.evaluations import FOLDER, fetch_evaluation, find_champion, find_run, read_run_file
from lesionflow.registry.tracking import Tracker
from support.bundles import small_bundle
from support.champions import set_champion
from support.stores import empty_store

NAME = "lesionflow-knees"
TABLE = pd.DataFrame({"case_id": ["c-1"], "patient_id": ["p-1"], "target": ["tumor"], "dice": [0.25]})


@pytest.fixture
def store(tmp_path):
    return empty_store(tmp_path / "store")


def registered(store, tmp_path, seed, experiment="knees", name=NAME):
    tracker = Tracker(store, experiment)
    run_id = tracker.start_run(f"train {seed}")
    write_bundle(tmp_path / "candidate", small_bundle(seed, run_id))
    registered_bundles.register_bundle(tracker, run_id, tmp_path / "candidate", name, program=MLFLOW_PROGRAM, tags={})
    return tracker, run_id


def test_what_evaluate_logged_is_fetched(store, tmp_path):
    tracker = Tracker(store, "knees")
    run_id = tracker.start_run("train")
    folder = tmp_path / "evaluation"
    folder.mkdir()
    TABLE.to_parquet(folder / CASES)
    (folder / ABOUT).write_text(json.dumps({"run_id": run_id, "test_set_sha256": "t", "bundle_digest": "b"}))
    with pytest.raises(ArtifactError, match="Evaluate it first"):
        fetch_evaluation(store, run_id, "train")
    tracker.log_artifacts(run_id, folder, FOLDER)
    found = fetch_evaluation(store, run_id, "train")
    pd.testing.assert_frame_equal(found.cases, TABLE)
    assert (found.name, found.run_id, found.test_set_sha256) == ("train", run_id, "t")
    assert read_run_file(store, run_id, f"{FOLDER}/{ABOUT}") == (folder / ABOUT).read_bytes()
    assert read_run_file(store, run_id, "absent") is None


def test_a_run_is_found_by_id_name_version_and_alias_and_by_nothing_less(store, tmp_path):
    _, first = registered(store, tmp_path, 1)
    tracker, second = registered(store, tmp_path, 2)
    set_champion(NAME, "1", store)
    for wanted in (first, first[:8], "train 1", f"{NAME}/1", f"{NAME}/champion", "champion"):
        assert find_run(store, wanted)[0] == first, wanted
    assert find_run(store, "challenger") == (second, f"{NAME} version 2")
    for wanted in (first[:5], "train", "o'hara", f"{NAME}/9", "", "%"):
        with pytest.raises(ArtifactError, match="found none"):
            find_run(store, wanted)
    twin = tracker.start_run("train 1")
    with pytest.raises(ArtifactError, match=twin[:6]):
        find_run(store, "train 1")


def test_the_champion_of_an_experiment_is_not_that_of_another(store, tmp_path):
    knees, run_id = registered(store, tmp_path, 1)
    hips, other = registered(store, tmp_path, 2, "hips", "lesionflow-hips")
    assert find_champion(store, knees.experiment_id) is None
    set_champion(NAME, "1", store)
    set_champion("lesionflow-hips", "1", store)
    assert find_champion(store, knees.experiment_id) == (run_id, f"{NAME} version 1")
    assert find_champion(store, hips.experiment_id) == (other, "lesionflow-hips version 1")
    assert find_champion(store, "999") is None
