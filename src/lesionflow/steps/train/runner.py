"""All trainings of `train`, each from top to bottom: coarse stage, data, network, loop, record; and the bundle of all.

Each goes on where a killed one was. `train.max_minutes` is for all together: it is divided here, and nowhere else.
"""

import logging
import math
import statistics
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from lesionflow.models import find_architecture
from lesionflow.registry.tracking import Tracker
from lesionflow.steps.train.coarse_stage import FIRST_SHARE, add_coarse_predictions, coarse_tasks, shrink_cases
from lesionflow.steps.train.compute import Compute
from lesionflow.steps.train.data_loading import make_data
from lesionflow.steps.train.mlflow_record import Record, open_record
from lesionflow.steps.train.processes.leader import send_order
from lesionflow.steps.train.task import TrainingTask
from lesionflow.steps.train.trained_model import Trained, TrainedModel, join_trainings
from lesionflow.steps.train.training_inputs import TrainingInputs
from lesionflow.steps.train.work_folder import WorkFolder
from lesionflow.training import CaseArrays, Recipe, TrainingResult, TrainingState, fit

#: What a training is stopped by when somebody asks for it: no other is begun then.
REQUEST = "request"
Cases = Mapping[str, CaseArrays]
logger = logging.getLogger(__name__)


def make_recipe(task: TrainingTask, max_minutes: float) -> Recipe:
    """Return what the training loop is told, by all processes alike: a task's params, and its share of the minutes."""
    names = {field.name for field in fields(Recipe)}
    given = {**task.config.model_dump(), **task.config.transfer.model_dump(), "max_minutes": max_minutes}
    values = {name: value for name, value in given.items() if name in names}
    encoder = find_architecture(task.plan.architecture.name).encoder
    return Recipe(**values, encoder=encoder, probability_threshold=task.plan.inference.probability_threshold)


class Runner:
    """Trains what there is to train.

    Args:
        inputs: The trainings and their cases.
        compute: What they run on.
        work: The folder of all of them.
        tracker: Where their runs are.
    """

    def __init__(self, inputs: TrainingInputs, compute: Compute, work: WorkFolder, tracker: Tracker) -> None:
        self._inputs = inputs
        self._compute = compute
        self._work = work
        self._tracker = tracker

    def train(self, record: Record) -> TrainedModel:
        """Train all; the same after a kill as without one, as long as `max_epochs` ends the trainings.

        Args:
            record: Of all of them together.

        Raises:
            LesionFlowError: When a loss is not finite from the start.
        """
        config = self._inputs.config
        if config.folds == "one":
            (task,) = self._inputs.tasks
            done = self._train(task, self._inputs.cases, record, config.max_minutes)
            return TrainedModel(done.bundle(), (), done.minutes)
        folds = self._train_folds(record)
        last: list[Trained] = []
        if config.folds == "final" and folds[-1].result.stopped_by != REQUEST:
            epochs = math.ceil(statistics.median(fold.result.best_epoch for fold in folds))
            logger.info("a last network learns from all cases for %d epochs, the median of the folds' best", epochs)
            last = [self._train_next(self._inputs.on_all_cases(epochs), record, folds, 1)]
        trained = [*folds, *last]
        record.log_folds([fold.fold_card() for fold in folds], {one.task.name: one.result for one in trained})
        bundle = join_trainings(self._inputs, folds, last, record.run_id)
        return TrainedModel(bundle, tuple(fold.bundle() for fold in folds), sum(one.minutes for one in trained))

    def train_fold(self, number: int, above: Record) -> Trained:
        """Train one fold alone, with its share of the minutes; its run may be put below another later. Or read it, if it is trained.

        Args:
            number: Of the fold.
            above: The folder of all of them; without a run where there is none yet.

        Raises:
            LesionFlowError: When the loss is not finite from the start.
        """
        config, tasks = self._inputs.config, self._inputs.tasks
        n_trainings = len(tasks) + (config.folds == "final")
        return self._train_below(tasks[number], self._inputs.cases, above, config.max_minutes / n_trainings)

    def _train_folds(self, record: Record) -> list[Trained]:
        tasks, done = self._inputs.tasks, list[Trained]()
        n_last = 1 if self._inputs.config.folds == "final" else 0
        for number, task in enumerate(tasks):
            done.append(self._train_next(task, record, done, len(tasks) - number + n_last))
            if done[-1].result.stopped_by == REQUEST:
                logger.warning(
                    "stopped on request after %d of %d folds: the others are left out", number + 1, len(tasks)
                )
                break
        return done

    def _train_next(self, task: TrainingTask, record: Record, done: list[Trained], n_left: int) -> Trained:
        """Train with its share of the minutes that are left."""
        left = self._inputs.config.max_minutes - sum(one.minutes for one in done)
        return self._train_below(task, self._inputs.cases, record, max(left, 0.0) / n_left)

    def _train_below(self, task: TrainingTask, cases: Cases, above: Record, max_minutes: float) -> Trained:
        """Train in a run and folder of its own, below others; or read what is trained already."""
        work = above.work.inside(task.name, task.key)
        state = work.load()
        if state is not None and state.stopped_by:
            if above.run_id and self._tracker.has_run(work.run_id):
                self._tracker.put_below(work.run_id, above.run_id, {"fold": task.name})
            transferred = task.start(task.build_network())
            known = Record(self._tracker, work, work.run_id)
            coarse = self._train_coarse(task, shrink_cases(task, cases), known, max_minutes)
            return Trained(task, TrainingResult(state), work.run_id, transferred, coarse)
        logger.info("training %s", task.name)
        with open_record(self._tracker, work, task, self._compute.device, parent=above.run_id) as record:
            return self._train(task, cases, record, max_minutes)

    def _train_coarse(
        self, task: TrainingTask, small: Cases, record: Record, max_minutes: float
    ) -> tuple[Trained, ...]:
        """Train the first stage of a cascade, or read it if it is trained; none where there is no cascade."""
        tasks = coarse_tasks(task, small)
        minutes = max_minutes * FIRST_SHARE / max(len(tasks), 1)
        return tuple(self._train_below(coarse, small, record, minutes) for coarse in tasks)

    def _train(self, task: TrainingTask, cases: Cases, record: Record, max_minutes: float) -> Trained:
        """Train one task from top to bottom."""
        # What comes before: the first stage of a cascade, and what it tells of each case.
        small = shrink_cases(task, cases)
        coarse = self._train_coarse(task, small, record, max_minutes)
        if any(one.result.stopped_by == REQUEST for one in coarse):
            logger.warning("stopped on request in the first stage of a cascade: the second has hardly learned")
        recipe = make_recipe(task, max_minutes - sum(one.minutes for one in coarse))
        weights = [(one.task, one.result.weights) for one in coarse]
        data = make_data(
            task, add_coarse_predictions(task, cases, small, weights, self._compute.device), self._compute.n_loaders
        )
        resume = record.work.load()
        if resume is not None:
            logger.info("going on after epoch %d of a training that was broken off", resume.epochs)
        transferred: dict[str, Any] = {}

        def build_network() -> Any:
            network = task.build_network()
            transferred.update(task.start(network))
            return network

        def after_epoch(state: TrainingState) -> None:
            record.work.keep(state)
            record.log_epoch(state)

        record.log_check_sheet(data)
        send_order(self._compute.processes, self._inputs, task, recipe, resume)
        result = fit(
            build_network,
            data,
            recipe,
            device=self._compute.device,
            n_threads=self._compute.workers,
            on_epoch=after_epoch,
            resume=resume,
            should_stop=self._work.stop_file.exists,
            on_pictures=record.picture_logger(task),
            processes=self._compute.processes,
        )
        record.log_result(task, result)
        record.work.keep(result.state)
        logger.info(
            "trained %d epochs, stopped by %s: Dice %.4f", result.epochs, result.stopped_by, result.validation_dice
        )
        return Trained(task, result, record.run_id, transferred, coarse)
