"""The trainings of `train`, one after another, each going on where a killed one was; and the bundle that they give."""

import logging
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lesionflow.data.bundle import Bundle
from lesionflow.registry.tracking import Tracker
from lesionflow.steps.train.batches import make_data
from lesionflow.steps.train.coarse_stage import FIRST_SHARE, add_coarse_predictions, halves, shrink_cases
from lesionflow.steps.train.inputs import TrainingInputs
from lesionflow.steps.train.process_group import send_order
from lesionflow.steps.train.records import log_check_sheet, log_epoch, log_folds, log_result, logging_pictures, tracked
from lesionflow.steps.train.results import Trained, join
from lesionflow.steps.train.task import TrainingTask
from lesionflow.steps.train.work_folder import WorkFolder
from lesionflow.training import CaseArrays, ProcessGroup, TrainingResult, TrainingState, fit

#: What a training is stopped by when somebody asks for it: no other is begun then.
REQUEST = "request"
Cases = Mapping[str, CaseArrays]
logger = logging.getLogger(__name__)


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


class Runner:
    """Trains what there is to train.

    Args:
        trainings: What.
        work: Folder of all of them.
        tracker: Where runs are.
        run_id: The run of all of them.
        device: `cpu` or `cuda`.
        workers: Threads or processes that may be used.
        processes: The processes that train together; this one leads them.
    """

    def __init__(
        self,
        trainings: TrainingInputs,
        work: WorkFolder,
        tracker: Tracker,
        run_id: str,
        *,
        device: str,
        workers: int,
        processes: ProcessGroup,
    ) -> None:
        self._team = processes
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
            minutes = self._trainings.config.max_minutes
            done = self._train(task, self._work, self._run_id, minutes, self._trainings.cases)
            return Model(done.bundle(), (), done.minutes)
        folds = self._train_folds()
        trained = list(folds)
        stopped = folds[-1].result.stopped_by == REQUEST
        if self._trainings.config.folds == "final" and not stopped:
            epochs = math.ceil(statistics.median(fold.result.best_epoch for fold in folds))
            logger.info("a last network learns from all cases for %d epochs, the median of the folds' best", epochs)
            trained.append(self._train_next(self._trainings.on_all_cases(epochs), trained, 1))
        cards = [fold.fold_card() for fold in folds]
        results = {one.task.name: one.result for one in trained}
        log_folds(self._tracker, self._run_id, self._work, cards, results)
        minutes = sum(one.minutes for one in trained)
        bundle = join(self._trainings, folds, trained[len(folds) :], self._run_id)
        return Model(bundle, tuple(fold.bundle() for fold in folds), minutes)

    def _train_folds(self) -> list[Trained]:
        tasks, done = self._trainings.tasks, list[Trained]()
        n_last = 1 if self._trainings.config.folds == "final" else 0
        for number, task in enumerate(tasks):
            done.append(self._train_next(task, done, len(tasks) - number + n_last))
            if done[-1].result.stopped_by == REQUEST:
                logger.warning(
                    "stopped on request after %d of %d folds: the others are left out", number + 1, len(tasks)
                )
                break
        return done

    def _train_next(self, task: TrainingTask, done: list[Trained], n_left: int) -> Trained:
        """Train with its share of the minutes that are left."""
        left = self._trainings.config.max_minutes - sum(one.minutes for one in done)
        return self._train_below(task, self._trainings.cases, self._work, self._run_id, max(left, 0.0) / n_left)

    def _train_below(
        self, task: TrainingTask, cases: Cases, above: WorkFolder, parent: str, max_minutes: float
    ) -> Trained:
        """Train in a run and folder of its own, below others."""
        work = above.inside(task.name, task.key)
        state = work.load()
        if state is not None and state.stopped_by:
            transferred = task.start(task.build_network())
            small = shrink_cases(task, cases)
            first = self._train_first(task, small, work, work.run_id, max_minutes)
            return Trained(task, TrainingResult(state), work.run_id, transferred, first)
        logger.info("training %s", task.name)
        with tracked(self._tracker, work, task, self._device, parent=parent) as run_id:
            return self._train(task, work, run_id, max_minutes, cases)

    def _train_first(
        self, task: TrainingTask, small: Cases, work: WorkFolder, run_id: str, max_minutes: float
    ) -> tuple[Trained, ...]:
        """Train the first stage of a cascade, or read it if it is trained; none where there is no cascade."""
        tasks = halves(task, small)
        minutes = max_minutes * FIRST_SHARE / max(len(tasks), 1)
        return tuple(self._train_below(half, small, work, run_id, minutes) for half in tasks)

    def _train(self, task: TrainingTask, work: WorkFolder, run_id: str, max_minutes: float, cases: Cases) -> Trained:
        small = shrink_cases(task, cases)
        first = self._train_first(task, small, work, run_id, max_minutes)
        if any(one.result.stopped_by == REQUEST for one in first):
            logger.warning("stopped on request in the first stage of a cascade: the second has hardly learned")
        max_minutes -= sum(one.minutes for one in first)
        cases = add_coarse_predictions(
            task, cases, small, [(one.task, one.result.weights) for one in first], self._device
        )
        resume = work.load()
        if resume is not None:
            logger.info("going on after epoch %d of a training that was broken off", resume.epochs)
        data = make_data(task, cases, self._device, self._workers)
        transferred: dict[str, Any] = {}

        def build_network() -> Any:
            network = task.build_network()
            transferred.update(task.start(network))
            return network

        def after_epoch(state: TrainingState) -> None:
            work.keep(state)
            log_epoch(self._tracker, run_id, state)

        log_check_sheet(self._tracker, run_id, work, data)
        send_order(self._team, self._trainings, task, max_minutes, resume)
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
            processes=self._team,
        )
        log_result(self._tracker, run_id, work, task, result)
        work.keep(result.state)
        logger.info(
            "trained %d epochs, stopped by %s: Dice %.4f", result.epochs, result.stopped_by, result.validation_dice
        )
        return Trained(task, result, run_id, transferred, first)
