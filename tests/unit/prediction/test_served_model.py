"""Models by whatever they are called."""

import pytest

from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.bundles import read_bundle, write_bundle
from lesionflow.prediction import DISCLAIMER, MLFLOW_PROGRAM
from lesionflow.prediction.served_model import load_model
from lesionflow.registry.registered_bundles import register_bundle
from lesionflow.registry.tracking import Tracker
from support.bundles import constant_bundle
from support.stores import empty_store


def test_an_alias_needs_the_name_of_a_model():
    with pytest.raises(ConfigError, match="LESIONFLOW_MODEL_NAME"):
        load_model("champion", None, "sqlite:///unused.db")


def test_a_folder_without_a_bundle_is_refused(tmp_path):
    with pytest.raises(ArtifactError):
        load_model(str(tmp_path), None, "sqlite:///unused.db")


def test_a_folder_needs_no_registry_and_is_named_by_its_digest(bundle_folder):
    model = load_model(str(bundle_folder), None, "sqlite:///nowhere/unused.db")
    assert (model.name, model.version) == ("phantoms", f"bundle-{model.bundle.digest[:12]}")
    assert load_model(str(bundle_folder), "mine", "sqlite:///nowhere/unused.db").name == "mine"


def test_an_alias_is_told_by_the_number_that_it_means(tmp_path):
    tracker = Tracker(empty_store(tmp_path / "store"), "knees")
    for number, logit in ((1, -9.0), (2, 9.0)):
        run_id = tracker.start_run("train")
        write_bundle(tmp_path / f"bundle{number}", constant_bundle(logit, run_id))
        register_bundle(tracker, run_id, tmp_path / f"bundle{number}", "knees", program=MLFLOW_PROGRAM, tags={})
    challenger, first = (load_model(name, "knees", tracker.tracking_uri) for name in ("challenger", "1"))
    assert (challenger.name, challenger.version, first.version) == ("knees", "2", "1")
    assert first.bundle.digest == read_bundle(tmp_path / "bundle1").digest != challenger.bundle.digest


def test_a_client_is_told_what_is_served_and_no_more(bundle_folder):
    model = load_model(str(bundle_folder), None, "sqlite:///nowhere/unused.db")
    assert model.describe() == {
        "model_name": "phantoms",
        "model_version": f"bundle-{model.bundle.digest[:12]}",
        "bundle_digest": model.bundle.digest,
        "channels": {"CT": "ct"},
        "targets": ["tumor"],
        "dataset": "phantoms",
        "architecture": "unet",
        # Three cases: two trained on, one to validate.
        "n_trained_cases": 2,
        "seal": {"state": "unsigned", "key_id": ""},
        "validation_dice": 0.1,
        "run_id": "run-1",
        "plan_sha256": model.bundle.plan.digest(),
        "code_revision": "c0de",
        "data_revision": "da7a",
        "lesionflow_version": "0.1.0",
        "disclaimer": DISCLAIMER,
    }
