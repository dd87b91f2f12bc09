"""A store of two versions whose answers are known, and cases to ask them about."""

import pytest

from lesionflow.io.stores.bundles import write_bundle
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.registered_bundles import register_bundle
from lesionflow.registry.tracking import Tracker
from support.bundles import constant_bundle
from support.case_folders import write_cases
from support.stores import empty_store

NAME = "lesionflow-knees"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder with cases, a store with version 1 (finds nothing) and version 2 (calls all tumor), bundles beside."""
    folder = tmp_path_factory.mktemp("models")
    uri = empty_store(folder / "store")
    tracker = Tracker(uri, "knees")
    write_cases(folder / "cases", 2)
    for number, logit in ((1, -9.0), (2, 9.0)):
        run_id = tracker.start_run("train")
        write_bundle(folder / f"bundle{number}", constant_bundle(logit, run_id))
        register_bundle(
            tracker, run_id, folder / f"bundle{number}", NAME, program=MLFLOW_PROGRAM, tags={"test_dice": f"0.{number}"}
        )
    return folder, uri


@pytest.fixture
def here(store, tmp_path, monkeypatch):
    """The store is the one that is meant, and the working folder is empty."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store[1])
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")
    monkeypatch.delenv("LESIONFLOW_MODEL_NAME", raising=False)
    monkeypatch.chdir(tmp_path)
    return store
