"""What MLflow is told: how a run ends, that a killed training goes on in its own, what folds come to."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from lesionflow.config import TrainConfig
from lesionflow.data.bundle import FoldCard
from lesionflow.registry.tracking import Tracker
from lesionflow.steps.train.mlflow_record import Record, open_record, out_of_fold_dice
from lesionflow.steps.train.task import TrainingTask
from lesionflow.steps.train.transfer import Source
from lesionflow.steps.train.work_folder import WorkFolder
from lesionflow.training import TrainingResult, TrainingState
from support.stores import empty_store
from support.training_workspace import make_plan, train_params

REPO = Path(__file__).resolve().parents[4]


@pytest.fixture
def tracker(tmp_path, monkeypatch):
    monkeypatch.setenv("LESIONFLOW_CODE_REVISION", "abc123")
    return Tracker(empty_store(tmp_path / "store"), "blobs")


@pytest.fixture
def work(tmp_path):
    return WorkFolder(tmp_path / "candidate.work", "key")


def task(**changes):
    config = TrainConfig.model_validate(train_params(REPO, precision="float32", loss="focal"))
    return TrainingTask(**{
        "config": config, "plan": make_plan(), "train": ("c-0", "c-1", "c-2"), "validation": ("c-3",),
        "data_revision": "d" * 64, "fold": 1, **changes,
    })  # fmt: skip


def run_of(tracker, run_id):
    return tracker.client.get_run(run_id)


def status(tracker, run_id):
    return run_of(tracker, run_id).info.status


def test_a_training_that_ends_has_a_finished_run(tracker, work):
    with open_record(tracker, work, task(), "cpu") as record:
        assert status(tracker, record.run_id) == "RUNNING"
        assert work.run_id == record.run_id
    assert status(tracker, record.run_id) == "FINISHED"


@pytest.mark.parametrize(
    ("error", "ends"), [(ValueError("wrong"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (SystemExit(1), "KILLED")]
)
def test_an_error_fails_the_run_and_whoever_ends_the_program_kills_it(tracker, work, error, ends):
    with pytest.raises(type(error)), open_record(tracker, work, task(), "cpu"):
        raise error
    assert status(tracker, work.run_id) == ends


def test_a_training_that_was_killed_goes_on_in_its_run(tracker, work):
    with pytest.raises(KeyboardInterrupt), open_record(tracker, work, task(), "cpu") as first:
        raise KeyboardInterrupt
    with open_record(tracker, WorkFolder(work.path, "key"), task(), "cpu") as second:
        pass
    assert second.run_id == first.run_id
    assert status(tracker, first.run_id) == "FINISHED"
    with open_record(tracker, WorkFolder(work.path, "another key"), task(), "cpu") as third:
        assert third.run_id != first.run_id


def test_a_run_that_this_store_does_not_know_is_begun_anew(tracker, work):
    work.keep_run_id("0" * 32)
    with open_record(tracker, work, task(), "cpu") as record:
        assert record.run_id != "0" * 32
    assert work.run_id == record.run_id


def test_a_run_says_what_was_trained_from_what(tracker, work):
    source = Source("somewhere", "5" * 64, {})
    with open_record(tracker, work, task(source=source), "cpu") as record:
        pass
    run = run_of(tracker, record.run_id)
    assert run.info.run_name.startswith("unet-focal-2")
    tags = run.data.tags
    assert tags["code_revision"] == "abc123"
    assert tags["data_revision"] == "d" * 64
    assert tags["plan_sha256"] == make_plan().digest()
    assert tags["precision"] == "float32"
    assert tags["transfer_digest"] == "5" * 64
    params = run.data.params
    assert (params["n_cases.train"], params["n_cases.validation"]) == ("3", "1")
    assert params["train.loss"] == "focal"
    assert params["plan.channels.CT.mean"] == "20.0"
    assert params["plan.patch_size"] == "[3, 40, 48]"
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.tags[0].value) == ("blobs", "training")


def test_a_fold_stands_below_its_parent_and_is_named_by_it(tracker, work):
    ensemble = task(config=task().config.model_copy(update={"folds": "ensemble"}))
    with (
        open_record(tracker, work, ensemble, "cpu") as parent,
        open_record(tracker, work.inside("fold-1", "k"), task(), "cpu", parent=parent.run_id) as child,
    ):
        pass
    assert run_of(tracker, parent.run_id).info.run_name.startswith("unet-focal-ensemble-2")
    run = run_of(tracker, child.run_id)
    assert run.info.run_name.endswith("-fold-1")
    assert run.data.tags["fold"] == "fold-1"
    assert run.data.tags["mlflow.parentRunId"] == parent.run_id
    assert "transfer_digest" not in run.data.tags


def fold(number, validation, dice, epochs=4):
    return FoldCard(
        fold=number, run_id=f"r-{number}", trained_cases=("c-9",), validation_cases=validation, validation_dice=dice,
        epochs=epochs, stopped_by="max_epochs",
    )  # fmt: skip


FOLDS = (fold(0, ("c-3",), 0.5), fold(1, ("c-1", "c-2"), 0.8), fold(2, ("c-4",), 0.2))


def test_every_case_counts_alike_in_the_dice_out_of_fold():
    # (0.5 + 2 x 0.8 + 0.2) / 4; a mean of folds would be 0.5.
    assert out_of_fold_dice(FOLDS) == pytest.approx(0.575)
    assert out_of_fold_dice(FOLDS[:2]) == pytest.approx(0.7)


def result(n_epochs, seconds, stopped_by, dice=0.5):
    history = [
        {"epoch": float(k), "train/loss": 1.0 / (k + 1), "val/loss": 2.0, "val/dice": dice} for k in range(n_epochs)
    ]
    return TrainingResult(
        TrainingState(
            network={}, optimizer={}, callbacks={}, precision={}, best={}, best_dice=dice, elapsed_s=seconds,
            history=history, stopped_by=stopped_by,
        )
    )  # fmt: skip


@pytest.fixture
def record(tracker, work):
    return Record(tracker, work, tracker.start_run("one"))


def text_of(record, name, folder):
    path = record.tracker.client.download_artifacts(record.run_id, name, str(folder))
    return Path(path).read_bytes()


def test_what_folds_come_to(record, tmp_path):
    results = {
        "fold-0": result(4, 60.0, "max_epochs"),
        "fold-1": result(6, 90.0, "early_stopping"),
        "fold-2": result(5, 30.0, "max_epochs"),
        "all": result(5, 120.0, "max_epochs"),
    }
    record.log_folds(FOLDS, results)
    run = run_of(record.tracker, record.run_id)
    assert run.data.metrics == pytest.approx({
        "best/val_dice": 0.575, "minutes": 5.0, "epochs": 20, "out_of_fold/dice": 0.575, "out_of_fold/n_cases": 4,
        "out_of_fold/n_folds": 3, "out_of_fold/dice_lowest": 0.2, "out_of_fold/dice_highest": 0.8,
    })  # fmt: skip
    assert run.data.tags["stopped_by"] == "early_stopping, max_epochs"
    table = json.loads(text_of(record, "folds.json", tmp_path))
    assert table["columns"] == [
        "fold", "run_id", "trained_cases", "validation_cases", "validation_dice", "epochs", "stopped_by",
    ]  # fmt: skip
    assert table["data"][1] == [1, "r-1", 1, 2, 0.8, 4, "max_epochs"]
    assert text_of(record, "training/curves.png", tmp_path).startswith(b"\x89PNG")


def test_epochs_are_counted_from_1(record):
    record.log_epoch(result(3, 60.0, "").state)
    found = record.tracker.client.get_metric_history(record.run_id, "train/loss")
    assert [(point.step, point.value) for point in found] == [(3, pytest.approx(1 / 3))]
    assert "epoch" not in run_of(record.tracker, record.run_id).data.metrics


def test_how_a_training_ended(record, tmp_path):
    record.work.keep(result(3, 90.0, "").state)
    record.log_result(task(), result(3, 90.0, "request", dice=0.75))
    run = run_of(record.tracker, record.run_id)
    assert run.data.metrics == {"minutes": 1.5, "epochs": 3.0, "best/val_dice": 0.75}
    assert run.data.tags["stopped_by"] == "request"
    assert text_of(record, "training/history.csv", tmp_path).decode().splitlines()[1] == "0,1,2,0.5"
    assert text_of(record, "training/curves.png", tmp_path).startswith(b"\x89PNG")


def test_a_network_that_was_not_judged_has_no_dice(record):
    record.work.keep(result(1, 60.0, "").state)
    record.log_result(task(validation=(), fold=None), result(1, 60.0, "max_epochs"))
    assert run_of(record.tracker, record.run_id).data.metrics == {"minutes": 1.0, "epochs": 1.0}


def test_pictures_are_drawn_by_the_names_of_the_targets(record, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "lesionflow.steps.train.mlflow_record.draw_samples", lambda *how: asked.append(how) or "picture"
    )
    logged = []
    record = Record(SimpleNamespace(log_image=lambda *what, **how: logged.append((what, how))), record.work, "r-1")
    record.picture_logger(task())(6, ["slice"])
    assert asked == [(["slice"], ["tumor"], "blobs, epoch 6")]
    assert logged == [(("r-1", "picture"), {"key": "validation samples", "step": 6})]
