"""The champion is marked where reviewers look, and what a person wrote stays."""

import pytest
from mlflow import MlflowClient
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion

from lesionflow.io.stores.bundles import write_bundle
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.pages.champion_marks import (
    KIND,
    LONGEST_DESCRIPTION,
    NOTE,
    OWN_NOTE,
    ROLE,
    describe_experiment,
)
from lesionflow.registry.registered_bundles import register_bundle
from lesionflow.registry.tracking import Tracker
from support.bundles import constant_bundle
from support.champions import set_champion
from support.stores import empty_store

MODEL = "lesionflow-knees"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two versions of a model, each with its run."""
    folder = tmp_path_factory.mktemp("marks")
    tracker = Tracker(empty_store(folder / "store"), "knees")
    made = []
    for number in (1, 2):
        run_id = tracker.start_run(f"train {number}")
        write_bundle(folder / f"b{number}", constant_bundle(float(number), run_id))
        tags = {"test_dice": f"0.{number}000", "test_dice_interval": "0.0500 to 0.9000"}
        register_bundle(tracker, run_id, folder / f"b{number}", MODEL, program=MLFLOW_PROGRAM, tags=tags)
        made.append(run_id)
    return tracker, made


def roles(client: MlflowClient, run_ids):
    return [client.get_run(run_id).data.tags.get(ROLE) for run_id in run_ids]


def test_an_experiment_of_ours_is_one_of_trainings_and_says_what_it_is(tmp_path):
    tracker = Tracker(empty_store(tmp_path), "knees")
    tags = tracker.client.get_experiment(tracker.experiment_id).tags
    assert tags[KIND] == "custom_model_development"
    assert "data set knees; no champion yet. Research use only." in tags[NOTE]
    assert tags["mlflow.experiment.primaryMetric.name"] == "test/dice"


def test_the_roles_follow_the_aliases(runs):
    tracker, run_ids = runs
    assert roles(tracker.client, run_ids) == [None, "challenger"]
    set_champion(MODEL, "1", tracker.tracking_uri)
    assert roles(tracker.client, run_ids) == ["champion", "challenger"]
    set_champion(MODEL, "2", tracker.tracking_uri)
    assert roles(tracker.client, run_ids) == ["previous champion", "champion"]
    note = tracker.client.get_experiment(tracker.experiment_id).tags[NOTE]
    assert f"Champion: [{MODEL} version 2](#/models/{MODEL}/versions/2)**: test Dice 0.2000 [0.0500 to 0.9000]" in note
    assert f"/runs/{run_ids[1]}" in note
    set_champion(MODEL, "1", tracker.tracking_uri)
    assert roles(tracker.client, run_ids) == ["champion", "previous champion"]
    assert "version 1](" in tracker.client.get_experiment(tracker.experiment_id).tags[NOTE]


def test_what_a_person_wrote_stays(runs):
    tracker, _ = runs
    client, own = tracker.client, tracker.experiment_id
    before = client.get_experiment(own).tags[OWN_NOTE]
    client.set_experiment_tag(own, NOTE, "my own words")
    describe_experiment(client, own, "ours")
    Tracker(tracker.tracking_uri, "knees")
    tags = client.get_experiment(own).tags
    assert (tags[NOTE], tags[OWN_NOTE]) == ("my own words", before)


def test_a_run_that_was_deleted_stops_no_promotion(runs, caplog):
    tracker, run_ids = runs
    tracker.client.delete_run(run_ids[0])
    set_champion(MODEL, "1", tracker.tracking_uri)
    assert set_champion(MODEL, "2", tracker.tracking_uri) == ("1", "2")
    assert "is not marked at its run" in caplog.text


def test_descriptions_keep_to_what_mlflows_tables_hold():
    assert SqlModelVersion.__table__.columns["description"].type.length == LONGEST_DESCRIPTION
