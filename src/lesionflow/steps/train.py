"""The step `train`: preprocessed cases in, bundle out; the run in MLflow."""

import logging
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from lesionflow import __version__
from lesionflow.config import Settings, TrainConfig
from lesionflow.data.bundle import Bundle, Card
from lesionflow.io.bundles import write_bundle
from lesionflow.registry.tracking import Tracker
from lesionflow.steps.calibrating import calibrate, require_cases
from lesionflow.steps.preflight import require_room
from lesionflow.steps.revision import code_revision
from lesionflow.steps.training_data import make_data
from lesionflow.steps.training_task import TrainingTask, gather
from lesionflow.steps.training_work import HISTORY, WorkFolder
from lesionflow.training import (
    CaseDataModule,
    TrainingResult,
    TrainingState,
    fit,
    resolve_device,
    resolve_precision,
)
from lesionflow.training.check_sheet import draw_check_sheet
from lesionflow.training.curves import draw_curves
from lesionflow.training.sample_pictures import SampleSlice, draw_samples

CURVES, CHECK_SHEET, SAMPLES = "curves.png", "augmentation.png", "validation samples"
logger = logging.getLogger(__name__)


def run(
    config: TrainConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Train the plan's network; write the bundle with the weights that were best on the validation cases.

    The same params and data give the same weights on the same machine, unless `max_minutes` ends training: presets are
    chosen so that `max_epochs` does. Killed and started again, training goes on after the last whole epoch.

    Args:
        config: How to train.
        inputs: `cases`, `preprocessed`, `splits` and `plan`. The studies themselves are needed as rules and confidence are
            fitted on whole validation cases in their own space.
        outputs: `bundle`, a folder.
        settings: Device, workers and the tracking URI.

    Returns:
        `epochs`, `validation_dice` and `minutes`.

    Raises:
        ArtifactError: When an input is broken or holds no case to train or validate on.
        ServiceError: When MLflow can't be reached.
        ConfigError: When the loss or the first weights do not fit the plan, or memory or disk do not hold the training.
        LesionFlowError: When the loss is not finite from the start.
    """
    task, cases = gather(config, inputs, settings)
    require_cases(inputs["cases"], validation=task.validation, training=task.train)
    work = WorkFolder.beside(outputs["bundle"], task.key)
    resume = work.load()
    if resume is not None:
        logger.info("going on after epoch %d of a training that was broken off", resume.epochs)
    tracker = Tracker(settings.tracking_uri, task.plan.dataset.name)
    device = resolve_device(settings.device)
    data = make_data(task, cases, device, settings.workers)
    require_room(task.plan, work.path, device=device, n_loaders=data.n_workers)
    logger.info("to end this training cleanly before its time: touch %s", work.stop_file)
    transferred: dict[str, Any] = {}

    def build_network() -> torch.nn.Module:
        network = task.build_network()
        transferred.update(task.start(network))
        return network

    with _tracked(tracker, work, task, device) as run_id:

        def after_epoch(state: TrainingState) -> None:
            work.keep(state)
            _log_epoch(tracker, run_id, state)

        def after_pictures(epoch: int, slices: Sequence[SampleSlice]) -> None:
            names = [target.name for target in task.plan.targets]
            picture = draw_samples(slices, names, f"{task.plan.dataset.name}, epoch {epoch}")
            tracker.log_image(run_id, picture, key=SAMPLES, step=epoch)

        _log_check_sheet(tracker, run_id, work, data)
        result = fit(
            build_network,
            data,
            task.recipe(),
            device=device,
            n_threads=settings.workers,
            on_epoch=after_epoch,
            resume=resume,
            should_stop=work.stop_file.exists,
            on_pictures=after_pictures,
        )
        _log_result(tracker, run_id, work, task, result)
        bundle = Bundle(task.plan, result.weights, _card(task, result, run_id, transferred))
        bundle = calibrate(bundle, inputs["cases"], device=device, tracker=tracker, run_id=run_id)
        write_bundle(outputs["bundle"], bundle)
    work.remove()
    logger.info("trained %d epochs, stopped by %s: Dice %.4f", result.epochs, result.stopped_by, result.validation_dice)
    return {"epochs": result.epochs, "validation_dice": result.validation_dice, "minutes": result.minutes}


@contextmanager
def _tracked(tracker: Tracker, work: WorkFolder, task: TrainingTask, device: str) -> Iterator[str]:
    """Open the run in MLflow, or the one that a killed training had opened; close it as it ends."""
    run_id = work.run_id
    if not run_id or not tracker.has_run(run_id):
        run_id = _start_run(tracker, task, device)
        work.keep_run_id(run_id)
    try:
        yield run_id
    except BaseException as error:
        tracker.finish(run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    tracker.finish(run_id)


def _start_run(tracker: Tracker, task: TrainingTask, device: str) -> str:
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
        "transfer_digest": task.source.digest if task.source else "",
    }
    run_id = tracker.start_run(f"{plan.architecture.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}", tags)
    decided = plan.model_dump(mode="json", exclude={"dataset", "decisions", "format", "channels"})
    channels = {channel["name"]: channel for channel in plan.model_dump(mode="json")["channels"]}
    n_cases = {"train": len(task.train), "validation": len(task.validation)}
    train = task.config.model_dump(mode="json")
    tracker.log_params(run_id, {"train": train, "plan": {**decided, "channels": channels}, "n_cases": n_cases})
    tracker.log_dataset(run_id, name=plan.dataset.name, digest=task.data_revision, context="training")
    return run_id


def _log_epoch(tracker: Tracker, run_id: str, state: TrainingState) -> None:
    row = state.history[-1]
    figures = {name: value for name, value in row.items() if name != "epoch"}
    tracker.log_metrics(run_id, figures, step=int(row["epoch"]) + 1)


def _log_check_sheet(tracker: Tracker, run_id: str, work: WorkFolder, data: CaseDataModule) -> None:
    """Show what augmentation makes of the first patches: a wrong one is seen at a glance."""
    (work.path / CHECK_SHEET).write_bytes(draw_check_sheet(data.patches))
    tracker.log_artifact(run_id, work.path / CHECK_SHEET, "training")


def _log_result(tracker: Tracker, run_id: str, work: WorkFolder, task: TrainingTask, result: TrainingResult) -> None:
    title = f"{task.plan.dataset.name}: {task.plan.architecture.name}, stopped by {result.stopped_by}"
    (work.path / CURVES).write_bytes(draw_curves(result.history, title))
    for name in (HISTORY, CURVES):
        tracker.log_artifact(run_id, work.path / name, "training")
    best = {"best/val_dice": result.validation_dice, "minutes": result.minutes, "epochs": result.epochs}
    tracker.log_metrics(run_id, best)
    tracker.set_tags(run_id, {"stopped_by": result.stopped_by})


def _card(task: TrainingTask, result: TrainingResult, run_id: str, transferred: dict[str, Any]) -> Card:
    return Card(
        lesionflow_version=__version__,
        code_revision=code_revision(),
        data_revision=task.data_revision,
        run_id=run_id,
        tracking_experiment=task.plan.dataset.name,
        plan_sha256=task.plan.digest(),
        trained_cases=task.train,
        validation_cases=task.validation,
        validation_dice=result.validation_dice,
        epochs=result.epochs,
        train_params=task.config.model_dump(mode="json"),
        transfer=transferred,
    )
