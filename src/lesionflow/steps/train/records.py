"""What MLflow is told of a training: its run, its epochs, its end; of several folds, a run each below their parent."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import pandas as pd
import torch

from lesionflow import __version__
from lesionflow.data.bundle import FoldCard
from lesionflow.registry.tracking import Tracker
from lesionflow.steps.revision import code_revision
from lesionflow.steps.train.task import TrainingTask
from lesionflow.steps.train.work_folder import HISTORY, WorkFolder
from lesionflow.training import CaseDataModule, TrainingResult, TrainingState, resolve_precision
from lesionflow.training.pictures.check_sheet import draw_check_sheet
from lesionflow.training.pictures.curves import draw_curves, draw_fold_curves
from lesionflow.training.pictures.samples import OnPictures, SampleSlice, draw_samples

CURVES, CHECK_SHEET, SAMPLES, FOLDS = "curves.png", "augmentation.png", "validation samples", "folds.json"
#: Where a run's files of training lie among its artifacts.
FOLDER = "training"


@contextmanager
def tracked(tracker: Tracker, work: WorkFolder, task: TrainingTask, device: str, parent: str = "") -> Iterator[str]:
    """Open the run in MLflow, or the one that a killed training had opened; close it as it ends.

    Args:
        tracker: Where runs are.
        work: Remembers the run.
        task: What is trained.
        device: `cpu` or `cuda`.
        parent: The run below which this one shall stand; empty for none.

    Yields:
        The run's id.
    """
    run_id = work.run_id
    if not run_id or not tracker.has_run(run_id):
        run_id = _start(tracker, task, device, parent)
        work.keep_run_id(run_id)
    try:
        yield run_id
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
    channels = {channel["name"]: channel for channel in plan.model_dump(mode="json")["channels"]}
    n_cases = {"train": len(task.train), "validation": len(task.validation)}
    train = task.config.model_dump(mode="json")
    tracker.log_params(run_id, {"train": train, "plan": {**decided, "channels": channels}, "n_cases": n_cases})
    tracker.log_dataset(run_id, name=plan.dataset.name, digest=task.data_revision, context="training")
    return run_id


def log_epoch(tracker: Tracker, run_id: str, state: TrainingState) -> None:
    """Log the figures of the last epoch."""
    row = state.history[-1]
    figures = {name: value for name, value in row.items() if name != "epoch"}
    tracker.log_metrics(run_id, figures, step=int(row["epoch"]) + 1)


def log_check_sheet(tracker: Tracker, run_id: str, work: WorkFolder, data: CaseDataModule) -> None:
    """Show what augmentation makes of the first patches: a wrong one is seen at a glance."""
    (work.path / CHECK_SHEET).write_bytes(draw_check_sheet(data.patches))
    tracker.log_artifact(run_id, work.path / CHECK_SHEET, FOLDER)


def logging_pictures(tracker: Tracker, run_id: str, task: TrainingTask) -> OnPictures:
    """Return what logs pictures of what is found in validation."""
    names = [target.name for target in task.plan.targets]

    def log(epoch: int, slices: Sequence[SampleSlice]) -> None:
        picture = draw_samples(slices, names, f"{task.plan.dataset.name}, epoch {epoch}")
        tracker.log_image(run_id, picture, key=SAMPLES, step=epoch)

    return log


def log_result(tracker: Tracker, run_id: str, work: WorkFolder, task: TrainingTask, result: TrainingResult) -> None:
    """Log how a training ended, with its curves."""
    title = f"{task.plan.dataset.name}: {task.plan.architecture.name}, stopped by {result.stopped_by}"
    (work.path / CURVES).write_bytes(draw_curves(result.history, title))
    for name in (HISTORY, CURVES):
        tracker.log_artifact(run_id, work.path / name, FOLDER)
    best = {"minutes": result.minutes, "epochs": result.epochs}
    if task.validation:
        best["best/val_dice"] = result.validation_dice
    tracker.log_metrics(run_id, best)
    tracker.set_tags(run_id, {"stopped_by": result.stopped_by})


def log_folds(
    tracker: Tracker, run_id: str, work: WorkFolder, folds: Sequence[FoldCard], results: Mapping[str, TrainingResult]
) -> None:
    """Log to the parent what its folds came to: the Dice of all cases by networks that had not learned from them.

    Args:
        tracker: Where the run is.
        run_id: The parent's.
        work: Where the picture is made.
        folds: One a fold.
        results: Of each training by name, a last one on all cases included.
    """
    n_cases = sum(len(fold.validation_cases) for fold in folds)
    dice = out_of_fold_dice(folds)
    epochs, minutes = (sum(values) for values in zip(*((r.epochs, r.minutes) for r in results.values()), strict=True))
    spread = {"dice_lowest": min(fold.validation_dice for fold in folds)}
    spread["dice_highest"] = max(fold.validation_dice for fold in folds)
    figures = {"dice": dice, "n_cases": n_cases, "n_folds": len(folds), **spread}
    tracker.log_metrics(
        run_id,
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
    tracker.log_table(run_id, pd.DataFrame(rows), FOLDS)
    tracker.set_tags(run_id, {"stopped_by": ", ".join(sorted({r.stopped_by for r in results.values()}))})
    title = f"{len(folds)} folds: Dice {dice:.3f} of {n_cases} cases, each by the fold that had not seen it"
    histories = {name: result.history for name, result in results.items()}
    (work.path / CURVES).write_bytes(draw_fold_curves(histories, title))
    tracker.log_artifact(run_id, work.path / CURVES, FOLDER)


def out_of_fold_dice(folds: Sequence[FoldCard]) -> float:
    """Return the mean Dice over the validation cases of all folds, each case counted alike."""
    counts = [len(fold.validation_cases) for fold in folds]
    return sum(n * fold.validation_dice for n, fold in zip(counts, folds, strict=True)) / sum(counts)
