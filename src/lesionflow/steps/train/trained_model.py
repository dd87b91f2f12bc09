"""What trainings gave, and the bundle that is made of one or several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionflow import __version__
from lesionflow.data.bundle import Bundle, Card, FoldCard
from lesionflow.data.plan import Plan
from lesionflow.models.cascade import join_stages
from lesionflow.models.ensemble import join_weights
from lesionflow.steps.revision import code_revision
from lesionflow.steps.train.mlflow_record import out_of_fold_dice
from lesionflow.steps.train.task import TrainingTask
from lesionflow.steps.train.training_inputs import TrainingInputs
from lesionflow.training import TrainingResult


@dataclass(frozen=True, eq=False)
class Trained:
    """A training that is over.

    Args:
        task: What was trained.
        result: What it gave.
        run_id: Its run.
        transferred: What became of the first weights; empty when all were drawn anew.
        coarse: The trainings of a cascade's first stage.
    """

    task: TrainingTask
    result: TrainingResult
    run_id: str
    transferred: dict[str, Any]
    coarse: tuple["Trained", ...] = ()

    @property
    def minutes(self) -> float:
        """How long it took, the first stage included."""
        return self.result.minutes + sum(one.minutes for one in self.coarse)

    def bundle(self) -> Bundle:
        """Return its network alone as a bundle; with its first stage where it is a cascade's."""
        task, result = self.task, self.result
        card = Card(
            lesionflow_version=__version__,
            code_revision=code_revision(),
            data_revision=task.data_revision,
            run_id=self.run_id,
            tracking_experiment=task.plan.dataset.name,
            plan_sha256=task.plan.digest(),
            trained_cases=task.train,
            validation_cases=task.validation,
            validation_dice=result.validation_dice,
            epochs=result.epochs,
            train_params=task.config.model_dump(mode="json"),
            transfer=self.transferred,
            coarse=tuple(one.fold_card() for one in self.coarse),
            ancestors=task.source.ancestors if task.source else (),
        )
        return Bundle(task.plan, _weights([self]), card)

    def fold_card(self) -> FoldCard:
        """Return what an ensemble's card says of it."""
        number = self.task.fold if self.task.coarse_fold is None else self.task.coarse_fold
        return FoldCard(
            fold=-1 if number is None else number,
            run_id=self.run_id,
            trained_cases=self.task.train,
            validation_cases=self.task.validation,
            validation_dice=self.result.validation_dice,
            epochs=self.result.epochs,
            stopped_by=self.result.stopped_by,
        )


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """What all trainings came to.

    Args:
        bundle: The network or ensemble.
        out_of_fold_models: The networks by which its validation cases are judged, each with those that it has not learned
            from; none where the bundle's own network judges.
        minutes: All trainings together.
    """

    bundle: Bundle
    out_of_fold_models: tuple[Bundle, ...]
    minutes: float


def join_trainings(inputs: TrainingInputs, folds: Sequence[Trained], last: Sequence[Trained], run_id: str) -> Bundle:
    """Make one bundle of all: of the network that learned from all cases, or of the folds' as an ensemble.

    Args:
        inputs: What there was to train.
        folds: Each fold's.
        last: The one on all cases, if there is one.
        run_id: The run of all of them.
    """
    members = last or folds
    plan = _of_members(inputs.plan, members)
    cards = tuple(fold.fold_card() for fold in folds)
    used = members[0].task.train if last else {case_id for card in cards for case_id in card.trained_cases}
    judged = {case_id for card in cards for case_id in card.validation_cases}
    update = {
        "data_revision": inputs.data_revision,
        "run_id": run_id,
        "plan_sha256": plan.digest(),
        "trained_cases": tuple(sorted(used)),
        "validation_cases": tuple(sorted(judged)),
        "validation_dice": out_of_fold_dice(cards),
        "epochs": sum(member.result.epochs for member in members),
        "train_params": inputs.config.model_dump(mode="json"),
        "folds": cards,
        "coarse": tuple(one.fold_card() for member in members for one in member.coarse),
    }
    return Bundle(plan, _weights(members), members[0].bundle().card.model_copy(update=update))


def _of_members(plan: Plan, members: Sequence[Trained]) -> Plan:
    """Return the plan of several networks that answer as one; of cascades, whose first stages do too."""
    update: dict[str, Any] = {"architecture": plan.architecture.model_copy(update={"n_members": len(members)})}
    if plan.coarse is not None:
        n_first = sum(len(member.coarse) for member in members)
        architecture = plan.coarse.architecture.model_copy(update={"n_members": n_first})
        update["coarse"] = plan.coarse.model_copy(update={"architecture": architecture})
    return plan.model_copy(update=update)


def _weights(members: Sequence[Trained]) -> dict[str, NDArray[np.generic]]:
    fine = join_weights([member.result.weights for member in members])
    first = [one.result.weights for member in members for one in member.coarse]
    return join_stages(join_weights(first), fine) if first else fine
