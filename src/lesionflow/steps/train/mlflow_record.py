"""What MLflow is told of a training: its run, its epochs, its end; of several folds, a run each below their parent."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd
import torch

from lesionflow import __version__
from lesionflow.config.names import key_of
from lesionflow.data.bundle import FoldCard
from lesionflow.registry.tracking import Tracker
from lesionflow.steps.revision import code_revision
from lesionflow.steps.train.task import TrainingTask
from lesionflow.steps.train.work_folder import HISTORY, WorkFolder
from lesionflow.training import CaseDataModule, TrainingResult, TrainingState, resolve_precision
from lesionflow.training.pictures.check_sheet import draw_check_sheet
from lesionflow.training.pictures.curves import draw_curves, draw_fold_curves
from lesionflow.training.pictures.sample_slices import OnPictures, SampleSlice, draw_samples

CURVES, CHECK_SHEET, SAMPLES, FOLDS = "curves.png", "augmentation.png", "validation samples", "folds.json"
#: Where a run's files of training lie among its artifacts.
FOLDER = "training"


@dataclass(frozen=True)
class Record:
    """The run of a training in MLflow, and the folder by which it goes on after a kill.

    Args:
        tracker: Where the run is.
        work: The folder.
        run_id: The run.
    """

    tracker: Tracker
    work: WorkFolder
    run_id: str

    def log_metrics(self, figures: Mapping[str, float]) -> None:
        """Log figures of the training as a whole."""
        self.tracker.log_metrics(self.run_id, figures)

    def log_epoch(self, state: TrainingState) -> None:
        """Log the figures of the last epoch."""
        row = state.history[-1]
        figures = {name: value for name, value in row.items() if name != "epoch"}
        self.tracker.log_metrics(self.run_id, figures, step=int(row["epoch"]) + 1)

    def log_check_sheet(self, data: CaseDataModule) -> None:
        """Show what augmentation makes of the first patches: a wrong one is seen at a glance."""
        (self.work.path / CHECK_SHEET).write_bytes(draw_check_sheet(data.patches))
        self.tracker.log_artifact(self.run_id, self.work.path / CHECK_SHEET, FOLDER)

    def picture_logger(self, task: TrainingTask) -> OnPictures:
        """Return what logs pictures of what is found in validation."""
        names = [target.name for target in task.plan.targets]

        def log(epoch: int, slices: Sequence[SampleSlice]) -> None:
            picture = draw_samples(slices, names, f"{task.plan.dataset.name}, epoch {epoch}")
            self.tracker.log_image(self.run_id, picture, key=SAMPLES, step=epoch)

        return log

    def log_result(self, task: TrainingTask, result: TrainingResult) -> None:
        """Log how a training ended, with its curves."""
        title = f"{task.plan.dataset.name}: {task.plan.architecture.name}, stopped by {result.stopped_by}"
        (self.work.path / CURVES).write_bytes(draw_curves(result.history, title))
        for name in (HISTORY, CURVES):
            self.tracker.log_artifact(self.run_id, self.work.path / name, FOLDER)
        best = {"minutes": result.minutes, "epochs": result.epochs}
        if task.validation:
            best["best/val_dice"] = result.validation_dice
        self.tracker.log_metrics(self.run_id, best)
        self.tracker.set_tags(self.run_id, {"stopped_by": result.stopped_by})

    def log_folds(self, folds: Sequence[FoldCard], results: Mapping[str, TrainingResult]) -> None:
        """Log to the parent what its folds came to: the Dice of all cases by networks that had not learned from them.

        Args:
            folds: One a fold.
            results: Of each training by name, a last one on all cases included.
        """
        n_cases = sum(len(fold.validation_cases) for fold in folds)
        dice = out_of_fold_dice(folds)
        epochs, minutes = (
            sum(values) for values in zip(*((r.epochs, r.minutes) for r in results.values()), strict=True)
        )
        spread = {"dice_lowest": min(fold.validation_dice for fold in folds)}
        spread["dice_highest"] = max(fold.validation_dice for fold in folds)
        figures = {"dice": dice, "n_cases": n_cases, "n_folds": len(folds), **spread}
        self.tracker.log_metrics(
            self.run_id,
            {"best/val_dice": dice, "minutes": minutes, "epochs": epochs}
            | {f"out_of_fold/{name}": value for name, value in figures.items()},
        )
        rows = [
            {
                "fold": fold.fold,
                "run_id": fold.run_id,
                "trained_cases": len(fold.trained_cases),
                "validation_cases": len(fold.validation_cases),
                "validation_dice": fold.validation_dice,
                "epochs": fold.epochs,
                "stopped_by": fold.stopped_by,
            }
            for fold in folds
        ]
        self.tracker.log_table(self.run_id, pd.DataFrame(rows), FOLDS)
        self.tracker.set_tags(self.run_id, {"stopped_by": ", ".join(sorted({r.stopped_by for r in results.values()}))})
        title = f"{len(folds)} folds: Dice {dice:.3f} of {n_cases} cases, each by the fold that had not seen it"
        histories = {name: result.history for name, result in results.items()}
        (self.work.path / CURVES).write_bytes(draw_fold_curves(histories, title))
        self.tracker.log_artifact(self.run_id, self.work.path / CURVES, FOLDER)


@contextmanager
def open_record(
    tracker: Tracker, work: WorkFolder, task: TrainingTask, device: str, parent: str = ""
) -> Iterator[Record]:
    """Open the run in MLflow, or the one that a killed training had opened; close it as it ends.

    Args:
        tracker: Where runs are.
        work: Remembers the run.
        task: What is trained.
        device: `cpu` or `cuda`.
        parent: The run below which this one shall stand; empty for none.

    Yields:
        The record.
    """
    run_id = work.run_id
    if not run_id or not tracker.has_run(run_id):
        run_id = _start(tracker, task, device, parent)
        work.keep_run_id(run_id)
    else:
        tracker.go_on_with(run_id)
    try:
        yield Record(tracker, work, run_id)
    except BaseException as error:
        tracker.finish(run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    tracker.finish(run_id)


def _start(tracker: Tracker, task: TrainingTask, device: str, parent: str) -> str:
    plan = task.plan
    tags = {
        "code_revision": code_revision(),
        "data_revision": task.data_revision,
        "plan_sha256": plan.digest(),
        "lesionflow_version": __version__,
        "python_version": platform.python_version(),
        "torch_version": torch.__version__,
        "precision": resolve_precision(task.config.precision, device, plan.dimensions),
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
    }
    if task.source is not None:
        tags["transfer_digest"] = task.source.digest
    # What most often sets runs apart: where they are laid side by side the UI shows their names alone.
    kinds = [plan.architecture.name, task.config.loss, *([task.config.folds] if task.config.folds != "one" else [])]
    name = f"{'-'.join(kinds)}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    if parent:
        name, tags = f"{name}-{task.name}", {**tags, "fold": task.name}
    run_id = tracker.start_run(name, tags, parent=parent)
    decided = plan.model_dump(mode="json", exclude={"dataset", "decisions", "format", "channels"})
    channels = {key_of(channel["name"]): channel for channel in plan.model_dump(mode="json")["channels"]}
    n_cases = {"train": len(task.train), "validation": len(task.validation)}
    train = task.config.model_dump(mode="json")
    tracker.log_params(run_id, {"train": train, "plan": {**decided, "channels": channels}, "n_cases": n_cases})
    tracker.log_dataset(run_id, name=plan.dataset.name, digest=task.data_revision, context="training")
    return run_id


def out_of_fold_dice(folds: Sequence[FoldCard]) -> float:
    """Return the mean Dice over the validation cases of all folds, each case counted alike."""
    counts = [len(fold.validation_cases) for fold in folds]
    return sum(n * fold.validation_dice for n, fold in zip(counts, folds, strict=True)) / sum(counts)
