"""The trainings of `train`, one after another, each going on where a killed one was; and the bundle that they give."""

import logging
import math
import statistics
from dataclasses import dataclass, replace
from typing import Any

from lesionflow import __version__
from lesionflow.data.bundle import Bundle, Card, FoldCard
from lesionflow.models.ensemble import join_weights
from lesionflow.registry.tracking import Tracker
from lesionflow.steps.revision import code_revision
from lesionflow.steps.training_data import make_data
from lesionflow.steps.training_gathering import Trainings
from lesionflow.steps.training_runs import (
    log_check_sheet,
    log_epoch,
    log_folds,
    log_result,
    logging_pictures,
    out_of_fold_dice,
    tracked,
)
from lesionflow.steps.training_task import TrainingTask
from lesionflow.steps.training_team import give_order
from lesionflow.steps.training_work import WorkFolder
from lesionflow.training import Team, TrainingResult, TrainingState, fit

#: What a training is stopped by when somebody asks for it: no other is begun then.
REQUEST = "request"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Trained:
    """A training that is over.

    Args:
        task: What was trained.
        result: What it gave.
        run_id: Its run.
        transferred: What became of the first weights; empty when all were drawn anew.
    """

    task: TrainingTask
    result: TrainingResult
    run_id: str
    transferred: dict[str, Any]

    def bundle(self) -> Bundle:
        """Return its network alone as a bundle."""
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
        )
        return Bundle(task.plan, result.weights, card)

    def fold_card(self) -> FoldCard:
        """Return what an ensemble's card says of it."""
        return FoldCard(
            fold=-1 if self.task.fold is None else self.task.fold,
            run_id=self.run_id,
            trained_cases=self.task.train,
            validation_cases=self.task.validation,
            validation_dice=self.result.validation_dice,
            epochs=self.result.epochs,
            stopped_by=self.result.stopped_by,
        )


@dataclass(frozen=True, eq=False)
class Model:
    """What training came to.

    Args:
        bundle: The network or ensemble.
        judges: The networks by which its validation cases are judged, each with those that it has not learned from; none
            where the bundle's own network judges.
        minutes: All trainings together.
    """

    bundle: Bundle
    judges: tuple[Bundle, ...]
    minutes: float


class Workshop:
    """Trains what there is to train.

    Args:
        trainings: What.
        work: Folder of all of them.
        tracker: Where runs are.
        run_id: The run of all of them.
        device: `cpu` or `cuda`.
        workers: Threads or processes that may be used.
        team: The processes that train together; this one leads them.
    """

    def __init__(
        self,
        trainings: Trainings,
        work: WorkFolder,
        tracker: Tracker,
        run_id: str,
        *,
        device: str,
        workers: int,
        team: Team,
    ) -> None:
        self._team = team
        self._trainings = trainings
        self._work = work
        self._tracker = tracker
        self._run_id = run_id
        self._device = device
        self._workers = workers

    def train(self) -> Model:
        """Train all; the same after a kill as without one, as long as `max_epochs` ends the trainings.

        Raises:
            LesionFlowError: When a loss is not finite from the start.
        """
        if self._trainings.config.folds == "one":
            (task,) = self._trainings.tasks
            done = self._train(task, self._work, self._run_id, self._trainings.config.max_minutes)
            return Model(done.bundle(), (), done.result.minutes)
        folds = self._train_folds()
        trained = list(folds)
        stopped = folds[-1].result.stopped_by == REQUEST
        if self._trainings.config.folds == "final" and not stopped:
            epochs = math.ceil(statistics.median(fold.result.best_epoch for fold in folds))
            logger.info("a last network learns from all cases for %d epochs, the median of the folds' best", epochs)
            trained.append(self._train_below(self._trainings.on_all_cases(epochs), trained, 1))
        cards = [fold.fold_card() for fold in folds]
        results = {one.task.name: one.result for one in trained}
        log_folds(self._tracker, self._run_id, self._work, cards, results)
        minutes = sum(one.result.minutes for one in trained)
        return Model(self._join(folds, trained[len(folds) :]), tuple(fold.bundle() for fold in folds), minutes)

    def _train_folds(self) -> list[Trained]:
        tasks, done = self._trainings.tasks, list[Trained]()
        n_last = 1 if self._trainings.config.folds == "final" else 0
        for number, task in enumerate(tasks):
            done.append(self._train_below(task, done, len(tasks) - number + n_last))
            if done[-1].result.stopped_by == REQUEST:
                logger.warning(
                    "stopped on request after %d of %d folds: the others are left out", number + 1, len(tasks)
                )
                break
        return done

    def _train_below(self, task: TrainingTask, done: list[Trained], n_left: int) -> Trained:
        """Train in a run of its own, with its share of the minutes that are left."""
        work = self._work.inside(task.name, task.key)
        left = self._trainings.config.max_minutes - sum(one.result.minutes for one in done)
        state = work.load()
        if state is not None and state.stopped_by:
            transferred = task.start(task.build_network())
            return Trained(task, TrainingResult(state), work.run_id, transferred)
        logger.info("training %s", task.name)
        with tracked(self._tracker, work, task, self._device, parent=self._run_id) as run_id:
            return self._train(task, work, run_id, max(left, 0.0) / n_left)

    def _train(self, task: TrainingTask, work: WorkFolder, run_id: str, max_minutes: float) -> Trained:
        resume = work.load()
        if resume is not None:
            logger.info("going on after epoch %d of a training that was broken off", resume.epochs)
        data = make_data(task, self._trainings.cases, self._device, self._workers)
        transferred: dict[str, Any] = {}

        def build_network() -> Any:
            network = task.build_network()
            transferred.update(task.start(network))
            return network

        def after_epoch(state: TrainingState) -> None:
            work.keep(state)
            log_epoch(self._tracker, run_id, state)

        log_check_sheet(self._tracker, run_id, work, data)
        give_order(self._team, self._trainings, task, max_minutes, resume)
        result = fit(
            build_network,
            data,
            replace(task.recipe(), max_minutes=max_minutes),
            device=self._device,
            n_threads=self._workers,
            on_epoch=after_epoch,
            resume=resume,
            should_stop=self._work.stop_file.exists,
            on_pictures=logging_pictures(self._tracker, run_id, task),
            team=self._team,
        )
        log_result(self._tracker, run_id, work, task, result)
        work.keep(result.state)
        logger.info(
            "trained %d epochs, stopped by %s: Dice %.4f", result.epochs, result.stopped_by, result.validation_dice
        )
        return Trained(task, result, run_id, transferred)

    def _join(self, folds: list[Trained], last: list[Trained]) -> Bundle:
        """Make one bundle of all: of the network that learned from all cases, or of the folds' as an ensemble."""
        members = last or folds
        plan = self._trainings.plan
        architecture = plan.architecture.model_copy(update={"n_members": len(members)})
        plan = plan.model_copy(update={"architecture": architecture})
        cards = tuple(fold.fold_card() for fold in folds)
        used = members[0].task.train if last else {case_id for card in cards for case_id in card.trained_cases}
        judged = {case_id for card in cards for case_id in card.validation_cases}
        card = (
            members[0]
            .bundle()
            .card.model_copy(
                update={
                    "data_revision": self._trainings.data_revision,
                    "run_id": self._run_id,
                    "plan_sha256": plan.digest(),
                    "trained_cases": tuple(sorted(used)),
                    "validation_cases": tuple(sorted(judged)),
                    "validation_dice": out_of_fold_dice(cards),
                    "epochs": sum(member.result.epochs for member in members),
                    "train_params": self._trainings.config.model_dump(mode="json"),
                    "folds": cards,
                }
            )
        )
        return Bundle(plan, join_weights([member.result.weights for member in members]), card)
