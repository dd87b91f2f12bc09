"""A cascade: networks on shrunk volumes tell another what lies beyond its patch."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lesionflow.config import Settings, TrainConfig
from lesionflow.data.plan import CoarsePlan
from lesionflow.data.split import Fold
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.inference import Segmenter
from lesionflow.inference.stage import Stage
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.io.stores.cases import read_case
from lesionflow.models import build_model
from lesionflow.models.cascade import part_stages
from lesionflow.models.ensemble import join_weights, weights_of_member
from lesionflow.preprocessing import to_model_space
from lesionflow.registry.tracking import Tracker
from lesionflow.steps import run_step
from lesionflow.steps.train.coarse_stage import add_coarse_predictions, coarse_tasks, shrink_cases
from lesionflow.steps.train.training_inputs import load_inputs
from lesionflow.training import CaseArrays
from support.training_workspace import TWO_FOLDS, make_inputs, make_plan, train_params

REPO = Path(__file__).resolve().parents[4]
FACTORS = (1, 2, 4)
EPOCHS = {"max_epochs": 3, "batches_per_epoch": 4}
SHAPE = (8, 24, 96)


def cascade_plan(patch_size=(8, 16, 16), **options):
    plan = make_plan(dimensions=3, patch_size=patch_size)
    architecture = plan.architecture.model_copy(update={"options": {**plan.architecture.options, **options}})
    coarse = CoarsePlan(
        factors=FACTORS,
        patch_size=(8, 12, 24),
        batch_size=2,
        architecture=architecture.model_copy(update={"n_members": 2}),
    )
    return plan.model_copy(update={"architecture": architecture, "coarse": coarse})


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cascade")
    return folder, make_inputs(folder, plan=cascade_plan(), folds=TWO_FOLDS)


@pytest.fixture(autouse=True)
def surroundings(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workspace[0] / 'mlflow.db'}")
    monkeypatch.setenv("LESIONFLOW_WORKERS", "1")
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")


def train(workspace, name, **changes):
    folder, inputs = workspace
    run_step("train", train_params(REPO, **{**EPOCHS, **changes}), inputs, {"bundle": folder / name})
    return read_bundle(folder / name)


@pytest.fixture(scope="module")
def bundle(workspace):
    """An undisturbed training of the first fold."""
    with pytest.MonkeyPatch.context() as patch:
        surroundings.__wrapped__(workspace, patch)
        return train(workspace, "one")


def task_of(workspace, **changes):
    trainings = load_inputs(
        TrainConfig.model_validate(train_params(REPO, **EPOCHS, **changes)), workspace[1], Settings()
    )
    return trainings.tasks[0], trainings.cases


def constant(plan, logit):
    """Weights of a network that says the same everywhere."""
    network = build_model(plan.architecture, in_channels=plan.in_channels, out_channels=1, dimensions=3)
    for weight in network.parameters():
        torch.nn.init.zeros_(weight)
    torch.nn.init.constant_(network.output.bias, logit)
    return {name: value.numpy() for name, value in network.state_dict().items()}


def test_no_hint_comes_from_a_network_that_has_learned_from_the_case(workspace):
    task, cases = task_of(workspace)
    one, other = coarse_tasks(task, cases)
    assert set(one.train) | set(other.train) == set(task.train)
    assert not set(one.train) & set(other.train)
    assert one.validation == other.validation == task.validation
    assert one.config.seed != other.config.seed
    # Logits of probabilities 0.2 and 0.6.
    first = [(one, constant(one.plan, np.log(0.25))), (other, constant(one.plan, np.log(1.5)))]
    with_coarse = add_coarse_predictions(task, cases, shrink_cases(task, cases), first, "cpu")
    told = {case_id: case.image[(..., *[slice(0, 3)] * 3)] for case_id, case in with_coarse.items()}
    for case_id, image in told.items():
        assert image.shape == (2, 3, 3, 3)
        np.testing.assert_array_equal(image[0], cases[case_id].image[0, :3, :3, :3])
        expected = 0.6 if case_id in one.train else 0.2 if case_id in other.train else 0.4
        np.testing.assert_allclose(image[1], expected, atol=1e-6)


def test_what_is_served_is_what_was_trained(workspace, bundle):
    task, cases = task_of(workspace)
    assert bundle.plan == task.plan
    assert [card.trained_cases for card in bundle.card.coarse] == [part.train for part in coarse_tasks(task, cases)]
    coarse, fine = part_stages(bundle.weights)
    first = [(part, weights_of_member(coarse, number)) for number, part in enumerate(coarse_tasks(task, cases))]
    assert not np.array_equal(first[0][1]["output.weight"], first[1][1]["output.weight"])
    (case_id,) = task.validation
    case = read_case(workspace[1]["cases"], case_id)
    array = to_model_space(case.volume, bundle.plan, case_id=case_id).volume.array
    cases = {**cases, case_id: replace(cases[case_id], image=array)}
    image = add_coarse_predictions(task, cases, shrink_cases(task, cases), first, "cpu")[case_id].image
    whole = image[(..., slice(None), slice(None), slice(None))]
    second = Stage(bundle.plan, fine, device=torch.device("cpu"), backend="pytorch")
    expected = second.predict(whole, batch_size=1, lean=False)
    told = []
    segmenter = Segmenter(bundle, device="cpu", backend="pytorch")
    answer = segmenter.ask(case.volume, case_id=case_id, progress=lambda *parts: told.append(parts))
    np.testing.assert_array_equal(answer.probabilities, expected)
    done, total = zip(*told, strict=True)
    assert list(done) == list(range(1, total[0] + 1))
    assert set(total) == {len(told)}


def test_reviewers_find_both_coarse_folds_below_the_run(workspace, bundle):
    client = Tracker(f"sqlite:///{workspace[0] / 'mlflow.db'}", "blobs").client
    run = client.get_run(bundle.card.run_id)
    found = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{bundle.card.run_id}'")
    assert {child.data.tags["fold"]: child.info.run_id for child in found} == {
        f"coarse-{card.fold}": card.run_id for card in bundle.card.coarse
    }


def test_folds_answer_as_one_cascade(workspace, bundle):
    both = train(workspace, "ensemble", folds="ensemble")
    assert both.plan.architecture.n_members == 2
    assert both.plan.coarse.architecture.n_members == 4
    coarse, fine = part_stages(both.weights)
    own_coarse, own_fine = part_stages(bundle.weights)
    # The first fold has the seed of params, as if trained alone.
    member = weights_of_member(fine, 0)
    assert all(np.array_equal(member[name], weight) for name, weight in own_fine.items())
    first_two = join_weights([weights_of_member(coarse, number) for number in (0, 1)])
    assert all(np.array_equal(first_two[name], weight) for name, weight in own_coarse.items())
    case = read_case(workspace[1]["cases"], "c-0")
    segmenter = Segmenter(both, device="cpu")
    assert segmenter.ask(case.volume, case_id="c-0").probabilities.shape == (1, *case.volume.geometry.shape)


SCRIPT = """
import os, signal, sys
from pathlib import Path
sys.path.append(sys.argv[1])
from lesionflow.steps import run_step
from lesionflow.steps.train.work_folder import WorkFolder
from support.training_workspace import train_params
keep, left = WorkFolder.keep, [int(sys.argv[3])]
def and_die(self, state):
    keep(self, state)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
WorkFolder.keep = and_die
folder = Path(sys.argv[2])
inputs = {key: folder / name for key, name in
          {"cases": "cases", "preprocessed": "preprocessed", "splits": "splits.json", "plan": "plan.json"}.items()}
run_step("train", train_params(Path(sys.argv[4]), max_epochs=3, batches_per_epoch=4), inputs, {"bundle": folder / "killed"})
"""


@pytest.mark.parametrize("n_epochs", [1, 4, 7])
def test_killed_in_either_stage_it_goes_on_to_the_same_weights(workspace, bundle, n_epochs):
    """Two epochs and one note of their end each coarse fold, then the second stage's three."""
    arguments = [str(REPO / "tests"), str(workspace[0]), str(n_epochs), str(REPO)]
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(SCRIPT), *arguments], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    again = train(workspace, "killed")
    assert again.weights.keys() == bundle.weights.keys()
    assert all(np.array_equal(again.weights[name], weight) for name, weight in bundle.weights.items())


def test_several_processes_are_refused_by_name(workspace):
    with pytest.raises(ConfigError, match="one process to train a cascade"):
        task_of(workspace, devices=2)


def test_each_half_needs_each_target(workspace):
    task, cases = task_of(workspace)
    bare = {case_id: CaseArrays(case_id, c.image, c.mask, {} if case_id != "c-1" else c.foreground)
            for case_id, c in cases.items()}  # fmt: skip
    with pytest.raises(ArtifactError, match="at least two training cases with tumor in fold-0 for a cascade"):
        coarse_tasks(task, bare)


def beacon_case(seed):
    """Two equal balls; the tumor is the one that is nearer to a bright plate, further away than a patch reaches."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    left, right = (((z - 4) * 1.5) ** 2 + (y - 12) ** 2 + (x - c) ** 2 < 6**2 for c in (30, 65))
    image = rng.normal(size=(1, *SHAPE)).astype(np.float32) * 0.3 + 2.0 * (left | right)
    mask = (left if seed % 2 else right).astype(np.uint8)
    image[0, :, :, slice(0, 6) if seed % 2 else slice(-6, None)] += 4.0
    return CaseArrays(f"c-{seed}", image, mask, {1: np.argwhere(mask)})


def test_hints_tell_what_no_patch_can_see(tmp_path, monkeypatch):
    """Without coarse predictions the two balls look the same in every patch: Dice is 2/3 at best, for whom takes both (0.66 was measured)."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    folds = (Fold(train=tuple(f"c-{i}" for i in range(8)), validation=("c-8", "c-9")),)
    plan = cascade_plan(base_channels=8, dropout_fraction=0.0)
    inputs = make_inputs(tmp_path, plan=plan, folds=folds, make_case=beacon_case, n_cases=10)
    run_step(
        "train",
        train_params(REPO, max_epochs=30, batches_per_epoch=12, folds="one", early_stopping_patience_epochs=30),
        inputs,
        {"bundle": tmp_path / "bundle"},
    )
    assert read_bundle(tmp_path / "bundle").calibration.dice_before > 0.9
