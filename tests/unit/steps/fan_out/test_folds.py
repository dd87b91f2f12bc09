"""Folds that are trained apart and joined are the model that one training of all makes."""

from pathlib import Path

import pytest

from lesionflow.cohort.shard import Shard
from lesionflow.config import Settings, load_section
from lesionflow.config.sections.train import TrainConfig
from lesionflow.errors import ConfigError
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.registry.tracking import Tracker
from lesionflow.steps import run_step
from lesionflow.steps.fan_out.folds import train_fold
from lesionflow.steps.fan_out.parts import join_parts, run_part
from support.training_workspace import TWO_FOLDS, make_inputs, train_params

REPO = Path(__file__).resolve().parents[4]


@pytest.fixture
def store(tmp_path, monkeypatch):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("LESIONFLOW_WORKERS", "1")
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")
    return uri


def weights_of(folder):
    return {name: value.tobytes() for name, value in read_bundle(folder).weights.items()}


def test_folds_apart_give_the_model_of_one_training(store, tmp_path):
    # The join trains what is left: a last network on all cases, and a fold that is missing or was trained by other params.
    inputs, params = make_inputs(tmp_path / "in", folds=TWO_FOLDS), train_params(REPO, folds="final", max_epochs=1)
    params["batches_per_epoch"] = 2
    run_step("train", params, inputs, {"bundle": tmp_path / "one" / "bundle"})
    parts = [tmp_path / f"pod-{number}" / "part" for number in (1, 0)]
    given = ({**params, "learning_rate": 1e-4}, params)
    counts = [
        run_part("train", one, inputs, part, Shard(number, 2))
        for one, part, number in zip(given, parts, (1, 0), strict=True)
    ]
    assert [count["fold"] for count in counts] == [1.0, 0.0]
    join_parts("train", params, inputs, parts, {"bundle": tmp_path / "joined" / "bundle"})
    one, joined = read_bundle(tmp_path / "one" / "bundle").card, read_bundle(tmp_path / "joined" / "bundle").card
    assert weights_of(tmp_path / "joined" / "bundle") == weights_of(tmp_path / "one" / "bundle")
    assert joined.validation_dice == one.validation_dice
    plans = [read_bundle(tmp_path / who / "bundle").plan.model_dump() for who in ("joined", "one")]
    assert plans[0] == plans[1]
    # A run a fold, below the run of all of them: that of a fold apart too, which began before it.
    tracker = Tracker(store, "blobs")
    runs = {run.info.run_id: run.data.tags for run in tracker.client.search_runs([tracker.experiment_id])}
    below = {run_id: tags["fold"] for run_id, tags in runs.items() if tags.get("mlflow.parentRunId") == joined.run_id}
    assert [below[fold.run_id] for fold in joined.folds] == ["fold-0", "fold-1"]
    assert sorted(below.values()) == ["all", "fold-0", "fold-1"]
    assert {path.name for path in (tmp_path / "joined").iterdir()} == {"bundle", "attestations"}


@pytest.mark.parametrize(
    ("changes", "shard", "said"),
    [
        ({"folds": "one"}, Shard(0, 2), "found one and 1"),
        ({"folds": "ensemble", "devices": 2}, Shard(0, 2), "found ensemble and 2"),
        ({"folds": "ensemble"}, Shard(0, 3), "as many folds apart as the split has, 2, found 3"),
    ],
)
def test_what_can_not_be_trained_apart_is_refused(changes, shard, said, store, tmp_path):
    config = load_section(TrainConfig, train_params(REPO, **changes), "train")
    with pytest.raises(ConfigError, match=said):
        train_fold(config, make_inputs(tmp_path / "in", folds=TWO_FOLDS), tmp_path / "part", Settings(), shard)
    assert not (tmp_path / "part").exists()
