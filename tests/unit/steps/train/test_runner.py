"""Several folds: an ensemble, or a last network on all cases; each case judged by a network that has not learned from it."""

import os
import signal
import statistics
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lesionflow.config import Settings, TrainConfig, TransferConfig, load_params
from lesionflow.data.plan import ArchitecturePlan, CoarsePlan
from lesionflow.errors import ConfigError
from lesionflow.inference import Segmenter
from lesionflow.io.stores.bundles import WEIGHTS, read_bundle
from lesionflow.io.stores.cases import read_case
from lesionflow.models.ensemble import weights_of_member
from lesionflow.registry.tracking import Tracker
from lesionflow.steps import run_step
from lesionflow.steps.train.coarse_stage import shrink_cases
from lesionflow.steps.train.runner import Runner, make_recipe
from lesionflow.steps.train.task import TrainingTask
from lesionflow.steps.train.trained_model import Trained
from lesionflow.steps.train.training_inputs import TrainingInputs
from lesionflow.steps.train.transfer import find_source
from lesionflow.training import TrainingResult, TrainingState
from support.training_cases import blob_case
from support.training_workspace import TWO_FOLDS, make_inputs, make_plan, train_params

REPO = Path(__file__).resolve().parents[4]
CASES = ("c-0", "c-1", "c-2", "c-3")
EPOCHS = {"max_epochs": 4, "batches_per_epoch": 12}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folds")
    return folder, make_inputs(folder, folds=TWO_FOLDS)


@pytest.fixture(autouse=True)
def surroundings(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workspace[0] / 'mlflow.db'}")
    monkeypatch.setenv("LESIONFLOW_WORKERS", "1")
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")


@pytest.fixture(scope="module")
def ensemble(workspace):
    """An undisturbed training of both folds."""
    with pytest.MonkeyPatch.context() as patch:
        surroundings.__wrapped__(workspace, patch)
        counts = train(workspace, "ensemble", folds="ensemble")
    return counts, read_bundle(workspace[0] / "ensemble")


def train(workspace, name, **changes):
    folder, inputs = workspace
    return run_step("train", train_params(REPO, **{**EPOCHS, **changes}), inputs, {"bundle": folder / name})


def run_of(workspace, run_id):
    client = Tracker(f"sqlite:///{workspace[0] / 'mlflow.db'}", "blobs").client
    return client, client.get_run(run_id)


def children_of(workspace, run_id):
    client, run = run_of(workspace, run_id)
    found = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")
    return {child.data.tags["fold"]: child for child in found}


def alone(workspace, fold, seed):
    """The training of one fold, as the step makes it without others."""
    folder, inputs = workspace
    splits = folder / f"fold-{fold}.json"
    splits.write_text(inputs["splits"].read_text().replace('"fold":0', f'"fold":{fold}'))
    bundle = folder / f"alone-{fold}"
    run_step("train", train_params(REPO, **EPOCHS, seed=seed), {**inputs, "splits": splits}, {"bundle": bundle})
    return read_bundle(bundle)


def dice(bundle, inputs, case_id):
    case = read_case(inputs["cases"], case_id)
    found = Segmenter(bundle, device="cpu").segment(case.volume, case_id=case_id).mask.labels
    truth = case.reference_mask.labels
    return 2 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth))


def test_each_member_is_the_network_of_its_fold_trained_alone(workspace, ensemble):
    _, bundle = ensemble
    seed = train_params(REPO)["seed"]
    ones = [alone(workspace, fold, seed + fold) for fold in (0, 1)]
    assert bundle.plan.architecture.n_members == 2
    for number, one in enumerate(ones):
        member = weights_of_member(bundle.weights, number)
        assert member.keys() == one.weights.keys()
        assert all(np.array_equal(member[name], weight) for name, weight in one.weights.items())
    card = bundle.card
    assert [fold.validation_cases for fold in card.folds] == [("c-3",), ("c-1", "c-2")]
    assert [fold.validation_dice for fold in card.folds] == [one.card.validation_dice for one in ones]
    assert card.trained_cases == CASES
    assert card.validation_cases == CASES[1:]
    # Three cases count alike, not two folds.
    assert card.validation_dice == pytest.approx((ones[0].card.validation_dice + 2 * ones[1].card.validation_dice) / 3)

    # What is served is the mean of their probabilities.
    case = read_case(workspace[1]["cases"], "c-0")
    answers = [Segmenter(one, device="cpu").ask(case.volume, case_id="c-0").probabilities for one in (*ones, bundle)]
    np.testing.assert_allclose(answers[2], (answers[0] + answers[1]) / 2, atol=2e-6)

    # Rules were chosen on masks of the member that had not seen the case, with the rules and the temperature that resulted.
    fitted = bundle.calibration
    assert fitted.cases == CASES[1:]
    judges = {"c-3": ones[0], "c-1": ones[1], "c-2": ones[1]}
    scores = [dice(replace(judge, calibration=fitted), workspace[1], case) for case, judge in judges.items()]
    assert fitted.dice_after == pytest.approx(np.mean(scores), abs=1e-9)


def test_the_parent_run_has_a_child_a_fold_and_what_all_came_to(workspace, ensemble):
    counts, bundle = ensemble
    client, parent = run_of(workspace, bundle.card.run_id)
    children = children_of(workspace, bundle.card.run_id)
    assert set(children) == {"fold-0", "fold-1"}
    assert [children[f"fold-{fold.fold}"].info.run_id for fold in bundle.card.folds] == [
        fold.run_id for fold in bundle.card.folds
    ]
    metrics = parent.data.metrics
    assert metrics["out_of_fold/dice"] == metrics["best/val_dice"] == pytest.approx(counts["validation_dice"])
    assert (metrics["out_of_fold/n_cases"], metrics["out_of_fold/n_folds"]) == (3, 2)
    assert metrics["calibration/n_cases"] == 3
    assert metrics["epochs"] == counts["epochs"] == 2 * EPOCHS["max_epochs"]
    assert {child.info.status for child in children.values()} == {parent.info.status} == {"FINISHED"}
    assert children["fold-1"].data.params["train.seed"] == str(train_params(REPO)["seed"] + 1)
    assert children["fold-1"].data.metrics["best/val_dice"] == bundle.card.folds[1].validation_dice
    names = {entry.path for entry in client.list_artifacts(parent.info.run_id)}
    assert "folds.json" in names
    assert [a.path for a in client.list_artifacts(parent.info.run_id, "training")] == ["training/curves.png"]
    assert not (workspace[0] / "ensemble.work").exists()


def test_killed_in_the_second_fold_and_started_again_it_ends_with_the_same_bytes(workspace, ensemble):
    folder, inputs = workspace
    bundle = folder / "killed"
    script = textwrap.dedent(f"""
        import sys
        sys.path[:0] = [{str(REPO / "tests")!r}]
        from pathlib import Path
        from lesionflow.steps import run_step
        from support.training_workspace import train_params
        inputs = { ({k: str(v) for k, v in inputs.items()})!r}
        run_step("train", train_params(Path({str(REPO)!r}), **{EPOCHS!r}, folds="ensemble"),
                 {{k: Path(v) for k, v in inputs.items()}}, {{"bundle": Path({str(bundle)!r})}})
    """)
    process = subprocess.Popen([sys.executable, "-c", script])
    checkpoint, deadline = folder / "killed.work" / "fold-1" / "last.ckpt", time.monotonic() + 120
    while not checkpoint.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not bundle.exists()
    first = (folder / "killed.work" / "fold-0" / "last.ckpt").stat().st_mtime_ns
    began = []

    def watch():
        while not bundle.exists():
            path = folder / "killed.work" / "fold-0" / "last.ckpt"
            if path.exists():
                began.append(path.stat().st_mtime_ns)
            time.sleep(0.01)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    train(workspace, "killed", folds="ensemble")
    thread.join(timeout=10)
    assert set(began) == {first}, "the first fold was over, and is not trained again"
    again = read_bundle(bundle)
    assert (bundle / WEIGHTS).read_bytes() == (folder / "ensemble" / WEIGHTS).read_bytes()
    assert again.calibration == ensemble[1].calibration
    children = children_of(workspace, again.card.run_id)
    assert {name: child.info.status for name, child in children.items()} == {"fold-0": "FINISHED", "fold-1": "FINISHED"}


def test_a_last_network_learns_from_all_for_as_long_as_the_folds_found_best(workspace, ensemble):
    counts = train(workspace, "final", folds="final")
    bundle = read_bundle(workspace[0] / "final")
    card = bundle.card
    children = children_of(workspace, card.run_id)
    assert set(children) == {"fold-0", "fold-1", "all"}
    client, _ = run_of(workspace, card.run_id)
    best = []
    for fold in ("fold-0", "fold-1"):
        rows = client.get_metric_history(children[fold].info.run_id, "val/dice")
        best.append(max(rows, key=lambda row: (row.value, -row.step)).step)
    assert card.epochs == counts["epochs"] == int(np.ceil(statistics.median(best)))
    assert bundle.plan.architecture.n_members == 1
    assert card.trained_cases == CASES
    assert "best/val_dice" not in children["all"].data.metrics
    assert "val/dice" not in children["all"].data.metrics
    # The folds are those of the ensemble, and so are the rules that they found; the weights are others.
    assert [f.validation_dice for f in card.folds] == [f.validation_dice for f in ensemble[1].card.folds]
    assert bundle.calibration == ensemble[1].calibration
    assert all(np.isfinite(weight).all() for weight in bundle.weights.values())
    assert not np.array_equal(next(iter(bundle.weights.values())), next(iter(ensemble[1].weights.values())))
    assert dice(bundle, workspace[1], "c-0") > 0.3


def test_a_request_to_stop_ends_all_with_the_folds_so_far(workspace):
    folder, _ = workspace
    work = folder / "stopped.work"

    def touch_when_it_trains():
        while not (work / "fold-0" / "last.ckpt").exists():
            time.sleep(0.005)
        (work / "stop").touch()

    threading.Thread(target=touch_when_it_trains, daemon=True).start()
    train(workspace, "stopped", folds="final", max_epochs=10_000, early_stopping_patience_epochs=10_000)
    bundle = read_bundle(folder / "stopped")
    assert bundle.plan.architecture.n_members == 1
    assert [fold.stopped_by for fold in bundle.card.folds] == ["request"]
    assert bundle.card.validation_cases == bundle.calibration.cases == ("c-3",)
    assert not work.exists()


def test_minutes_are_for_all_folds_together(workspace):
    train(workspace, "short", folds="ensemble", max_epochs=10_000, max_minutes=0.05)
    folds = read_bundle(workspace[0] / "short").card.folds
    assert [fold.stopped_by for fold in folds] == ["max_minutes", "max_minutes"]
    assert all(fold.epochs >= 1 for fold in folds)


def test_a_fold_starts_from_the_member_that_its_number_names(workspace, ensemble):
    config = TransferConfig(
        source=str(workspace[0] / "ensemble"), sha256="", frozen_epochs=0, encoder_learning_rate_fraction=1.0
    )
    source = find_source(config, Settings())
    for number, member in ((0, 0), (1, 1), (2, 0)):
        found = source.of_member(number)
        expected = weights_of_member(ensemble[1].weights, member)
        assert found.trained_cases == TWO_FOLDS[member].train or set(found.trained_cases) == set(
            TWO_FOLDS[member].train
        )
        assert all(np.array_equal(found.weights[name].numpy(), weight) for name, weight in expected.items())


def test_one_fold_alone_makes_no_ensemble(tmp_path):
    inputs = make_inputs(tmp_path)
    with pytest.raises(ConfigError, match=r"at least two folds for train\.folds ensemble, found 1.*n_folds"):
        run_step("train", train_params(REPO, folds="ensemble"), inputs, {"bundle": tmp_path / "candidate"})


def test_a_schedule_that_waits_for_validation_does_not_fit_a_network_without(workspace):
    with pytest.raises(ConfigError, match=r"train\.scheduler cosine or polynomial.*plateau"):
        train(workspace, "refused", folds="final", scheduler="plateau")


@pytest.mark.parametrize("name", ["brats2020_unet", "table_unet"])
def test_the_recipe_knows_the_encoder_by_the_networks_name_and_by_its_old_one(name):
    plan = make_plan(3, (16, 24, 32)).model_copy(update={"architecture": ArchitecturePlan(name=name, options={})})
    config = TrainConfig.model_validate(load_params(REPO / "params.yaml")["train"])
    assert make_recipe(TrainingTask(config, plan, ("c-0",), ("c-1",), ""), 3.0).encoder == r"down\."


def test_the_recipe_is_what_params_say_but_for_its_share_of_the_minutes():
    inference = make_plan().inference.model_copy(update={"probability_threshold": 0.375})
    transfer = {"source": "none", "sha256": "", "frozen_epochs": 7, "encoder_learning_rate_fraction": 0.25}
    params = train_params(REPO, max_minutes=60.0, transfer=transfer, averaging_decay=0.5)
    plan = make_plan().model_copy(update={"inference": inference})
    recipe = make_recipe(TrainingTask(TrainConfig.model_validate(params), plan, ("c-0",), ("c-1",), ""), 12.5)
    told = {**params, **transfer, "max_minutes": 12.5, "probability_threshold": 0.375}
    for field in fields(recipe):
        if field.name != "encoder":
            assert getattr(recipe, field.name) == told[field.name], field.name
    assert (recipe.frozen_epochs, recipe.encoder_learning_rate_fraction) == (7, 0.25)


def done(task, minutes, stopped_by="max_epochs", coarse=()):
    """A training that took so long."""
    history = [{"epoch": float(k), "train/loss": 1.0, "val/dice": dice} for k, dice in enumerate((0.25, 0.75, 0.5))]
    weights = {"w": torch.zeros(1)}
    state = TrainingState(
        network=weights, optimizer={}, callbacks={}, precision={}, best=weights, best_dice=0.75, elapsed_s=60.0 * minutes,
        history=history, stopped_by=stopped_by,
    )  # fmt: skip
    return Trained(task, TrainingResult(state), "r-1", {}, coarse)


def runner_of(params, minutes, stopped_by="max_epochs"):
    """A runner whose trainings take so many minutes each, one after another; what each was given; and its record."""
    config = TrainConfig.model_validate(train_params(REPO, **params))
    tasks = tuple(
        TrainingTask(config, make_plan(), fold.train, fold.validation, "", fold=number)
        for number, fold in enumerate(TWO_FOLDS)
    )
    runner = Runner(TrainingInputs(config, tasks, {}, ""), None, None, None)
    given, taken = [], iter(minutes)

    def train_below(task, cases, above, max_minutes):
        given.append((task.name, task.config.max_epochs, max_minutes))
        return done(task, next(taken), stopped_by)

    runner._train_below = train_below
    return runner, given, SimpleNamespace(run_id="r-0", log_folds=lambda *_: None)


def test_what_a_fold_leaves_of_its_minutes_is_dealt_out_to_those_that_come():
    runner, given, record = runner_of({"folds": "final", "max_minutes": 12.0}, [3.0, 6.0, 1.0])
    model = runner.train(record)
    # 12 / 3; then (12 - 3) / 2; then 12 - 9. The last one trains as long as the folds' best: two epochs.
    assert given == [("fold-0", 3, 4.0), ("fold-1", 3, 4.5), ("all", 2, 3.0)]
    assert model.minutes == 10.0
    assert len(model.out_of_fold_models) == 2


def test_minutes_that_are_spent_already_leave_none():
    runner, given, record = runner_of({"folds": "ensemble", "max_minutes": 4.0}, [9.0, 0.5])
    runner.train(record)
    assert [minutes for _, _, minutes in given] == [2.0, 0.0]


def test_after_a_request_to_stop_nothing_more_is_begun():
    runner, given, record = runner_of({"folds": "final", "max_minutes": 12.0}, [3.0, 6.0, 1.0], stopped_by="request")
    model = runner.train(record)
    assert [name for name, _, _ in given] == ["fold-0"]
    assert model.bundle.plan.architecture.n_members == 1
    assert model.minutes == 3.0


def test_the_first_stage_of_a_cascade_has_a_third_of_the_minutes_in_equal_parts():
    runner, given, record = runner_of({"max_minutes": 12.0}, [1.0, 1.0])
    plan = make_plan(dimensions=3, patch_size=(8, 24, 32))
    members = plan.architecture.model_copy(update={"n_members": 2})
    coarse = CoarsePlan(factors=(1, 2, 4), patch_size=(8, 12, 24), batch_size=2, architecture=members)
    task = replace(runner._inputs.tasks[0], plan=plan.model_copy(update={"coarse": coarse}))
    small = shrink_cases(task, {f"c-{k}": blob_case(k) for k in range(4)})
    parts = runner._train_coarse(task, small, record, 12.0)
    # Half of three epochs, rounded up.
    assert given == [("coarse-0", 2, 2.0), ("coarse-1", 2, 2.0)]
    assert sum(part.minutes for part in parts) == 2.0
    assert runner._train_coarse(runner._inputs.tasks[0], {}, record, 12.0) == ()
