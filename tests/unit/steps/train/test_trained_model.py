"""What trainings gave: minutes, cards, and the bundle of several, from weights that tell whose they are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lesionflow import __version__
from lesionflow.config import TrainConfig
from lesionflow.data.plan import CoarsePlan
from lesionflow.steps.train.task import TrainingTask
from lesionflow.steps.train.trained_model import Trained, join_trainings
from lesionflow.steps.train.training_inputs import TrainingInputs
from lesionflow.training import TrainingResult, TrainingState
from support.training_workspace import make_plan, train_params

REPO = Path(__file__).resolve().parents[4]
CONFIG = TrainConfig.model_validate(train_params(REPO, folds="ensemble", seed=5))
PLAN = make_plan()


@pytest.fixture(autouse=True)
def revision(monkeypatch):
    monkeypatch.setenv("LESIONFLOW_CODE_REVISION", "abc123")


def cascade():
    plan = make_plan(dimensions=3, patch_size=(8, 24, 32))
    architecture = plan.architecture.model_copy(update={"n_members": 2})
    coarse = CoarsePlan(factors=(1, 2, 4), patch_size=(8, 12, 24), batch_size=2, architecture=architecture)
    return plan.model_copy(update={"coarse": coarse})


def trained(
    mark, *, plan=PLAN, train=("c-0",), validation=("c-1",), dice=0.5, n_epochs=3, minutes=1.0, coarse=(), **of
):
    """A training whose one weight is its mark."""
    state = TrainingState(
        network={"w": torch.tensor([-1.0])}, optimizer={}, callbacks={}, precision={}, best={"w": torch.tensor([mark])},
        best_dice=dice, elapsed_s=60.0 * minutes, history=[{"epoch": float(k)} for k in range(n_epochs)],
        stopped_by="max_epochs",
    )  # fmt: skip
    config = CONFIG.model_copy(update={"seed": CONFIG.seed + (of.get("fold") or 0)})
    task = TrainingTask(config, plan, train, validation, f"data of {mark}", **of)
    return Trained(task, TrainingResult(state), f"r-{mark}", {"source": f"s-{mark}"}, tuple(coarse))


def all_of(folds, plan=PLAN):
    return TrainingInputs(CONFIG, tuple(fold.task for fold in folds), {}, "data of all")


def weights(bundle):
    return {name: weight.tolist() for name, weight in bundle.weights.items()}


def test_minutes_are_those_of_its_first_stage_too_but_epochs_are_not():
    coarse = [trained(8.0, minutes=0.5, coarse_fold=0), trained(9.0, minutes=0.25, coarse_fold=1)]
    assert trained(1.0, minutes=2.0).minutes == 2.0
    whole = trained(1.0, minutes=2.0, coarse=coarse)
    assert whole.minutes == 2.75
    assert whole.bundle().card.epochs == 3


def test_a_bundle_of_one_has_the_best_weights_and_says_where_they_are_from():
    bundle = trained(2.0, train=("c-0", "c-4"), dice=0.75, fold=1).bundle()
    assert weights(bundle) == {"w": [2.0]}
    assert bundle.plan is PLAN
    card = bundle.card
    assert (card.trained_cases, card.validation_cases) == (("c-0", "c-4"), ("c-1",))
    assert (card.run_id, card.data_revision, card.validation_dice, card.epochs) == ("r-2.0", "data of 2.0", 0.75, 3)
    assert (card.lesionflow_version, card.code_revision) == (__version__, "abc123")
    assert card.tracking_experiment == "blobs"
    assert card.plan_sha256 == PLAN.digest()
    assert card.transfer == {"source": "s-2.0"}
    assert card.train_params["seed"] == 6
    assert card.folds == card.coarse == ()


def test_a_bundle_of_a_cascade_holds_its_first_stage_by_a_prefix():
    coarse = [trained(8.0, coarse_fold=0, fold=1), trained(9.0, coarse_fold=1, fold=1)]
    bundle = trained(1.0, plan=cascade(), coarse=coarse, fold=1).bundle()
    assert weights(bundle) == {"w": [1.0], "coarse.members.0.w": [8.0], "coarse.members.1.w": [9.0]}
    assert [(card.fold, card.run_id) for card in bundle.card.coarse] == [(0, "r-8.0"), (1, "r-9.0")]


@pytest.mark.parametrize(("of", "number"), [({"fold": 2}, 2), ({"fold": 2, "coarse_fold": 1}, 1), ({}, -1)])
def test_a_training_is_numbered_by_its_fold_or_by_its_half_of_a_folds_cases(of, number):
    card = trained(1.0, **of).fold_card()
    assert card.fold == number
    assert (card.run_id, card.epochs, card.stopped_by, card.validation_dice) == ("r-1.0", 3, "max_epochs", 0.5)


FOLDS = (
    trained(1.0, train=("c-0", "c-2", "c-1"), validation=("c-3",), dice=0.5, n_epochs=3, fold=0),
    trained(2.0, train=("c-3", "c-0"), validation=("c-2", "c-1"), dice=0.8, n_epochs=4, fold=1),
)


def test_two_folds_are_two_members_of_one_bundle():
    bundle = join_trainings(all_of(FOLDS), FOLDS, [], "r-all")
    assert weights(bundle) == {"members.0.w": [1.0], "members.1.w": [2.0]}
    assert bundle.plan.architecture.n_members == 2
    assert bundle.plan.model_copy(update={"architecture": PLAN.architecture}) == PLAN
    card = bundle.card
    assert (card.run_id, card.data_revision) == ("r-all", "data of all")
    assert card.plan_sha256 == bundle.plan.digest() != PLAN.digest()
    assert (card.trained_cases, card.validation_cases) == (("c-0", "c-1", "c-2", "c-3"), ("c-1", "c-2", "c-3"))
    # (0.5 + 2 x 0.8) / 3 cases; 3 + 4 epochs.
    assert card.validation_dice == pytest.approx(0.7)
    assert card.epochs == 7
    assert [(fold.fold, fold.run_id, fold.validation_dice) for fold in card.folds] == [
        (0, "r-1.0", 0.5),
        (1, "r-2.0", 0.8),
    ]
    # The seed of params, not that of a fold.
    assert card.train_params == CONFIG.model_dump(mode="json")


def test_a_last_network_alone_is_served_and_the_folds_only_judged():
    last = trained(3.0, train=("c-0", "c-1", "c-2", "c-3"), validation=(), dice=float("nan"), n_epochs=9)
    bundle = join_trainings(all_of(FOLDS), FOLDS, [last], "r-all")
    assert weights(bundle) == {"w": [3.0]}
    assert bundle.plan == PLAN
    card = bundle.card
    assert card.trained_cases == ("c-0", "c-1", "c-2", "c-3")
    assert card.validation_cases == ("c-1", "c-2", "c-3")
    assert card.validation_dice == pytest.approx(0.7)
    assert card.epochs == 9
    assert [fold.fold for fold in card.folds] == [0, 1]
    assert card.transfer == {"source": "s-3.0"}


def test_one_fold_that_is_left_of_several_answers_alone():
    bundle = join_trainings(all_of(FOLDS), FOLDS[:1], [], "r-all")
    assert weights(bundle) == {"w": [1.0]}
    assert bundle.plan.architecture.n_members == 1
    assert (bundle.card.validation_cases, bundle.card.trained_cases) == (("c-3",), ("c-0", "c-1", "c-2"))


def test_first_stages_of_two_cascades_answer_as_one():
    plan = cascade()
    folds = [
        trained(float(k), plan=plan, fold=k, coarse=[trained(10.0 * k + half, coarse_fold=half) for half in (0, 1)])
        for k in (0, 1)
    ]
    bundle = join_trainings(all_of(folds), folds, [], "r-all")
    assert weights(bundle) == {
        "members.0.w": [0.0], "members.1.w": [1.0], "coarse.members.0.w": [0.0], "coarse.members.1.w": [1.0],
        "coarse.members.2.w": [10.0], "coarse.members.3.w": [11.0],
    }  # fmt: skip
    assert (bundle.plan.architecture.n_members, bundle.plan.coarse.architecture.n_members) == (2, 4)
    assert [card.run_id for card in bundle.card.coarse] == ["r-0.0", "r-1.0", "r-10.0", "r-11.0"]
    assert all(isinstance(weight, np.ndarray) for weight in bundle.weights.values())
