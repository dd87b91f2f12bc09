"""The folds of `train` apart: each is trained on a machine of its own; joined they are what one training of all of them would have made."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from lesionflow.cohort.shard import Shard
from lesionflow.config import Settings, TrainConfig
from lesionflow.errors import ConfigError
from lesionflow.registry.tracking import Tracker
from lesionflow.steps.train.compute import Compute
from lesionflow.steps.train.mlflow_record import Record
from lesionflow.steps.train.needed_resources import require_room
from lesionflow.steps.train.runner import Runner
from lesionflow.steps.train.step import run
from lesionflow.steps.train.training_inputs import load_inputs
from lesionflow.steps.train.work_folder import WorkFolder
from lesionflow.training import resolve_device
from lesionflow.training.process_group import SINGLE_PROCESS

#: The inputs of `train` that those of a join begin with; the folds follow.
STEP_INPUTS = ("cases", "preprocessed", "splits", "plan")


def train_fold(
    config: TrainConfig,
    inputs: Mapping[str, Path],
    folder: Path,
    settings: Settings,
    shard: Shard,
    known: Path | None = None,
) -> dict[str, float]:
    """Train one fold of several, in a run of its own.

    Args:
        config: How to train; `folds` is `ensemble` or `final`.
        inputs: Those of `train`.
        folder: Where the trained fold goes: a work folder as a training of all folds leaves it that is killed after this one.
        settings: Device, workers and the tracking URI.
        shard: Which fold, of how many.
        known: Not used: a fold is trained whole.

    Returns:
        `fold`, `epochs`, `validation_dice` and `minutes`.

    Raises:
        ConfigError: When params train one fold alone, on several processes, or the split has another number of folds.
        ArtifactError: When an input is broken or holds no case to train or validate on.
        ServiceError: When MLflow can't be reached.
        LesionFlowError: When the loss is not finite from the start.
    """
    del known
    if config.folds == "one" or config.devices * config.nodes > 1:
        raise ConfigError(
            f"Expected train.folds ensemble or final and one process a fold to train folds apart, found {config.folds} and "
            f"{config.devices * config.nodes}. Train in one task: fan_out.folds 1."
        )
    loaded = load_inputs(config, inputs, settings)
    if len(loaded.tasks) != shard.of:
        raise ConfigError(
            f"Expected as many folds apart as the split has, {len(loaded.tasks)}, found {shard.of}. Set fan_out.folds to split.n_folds."
        )
    compute = Compute(resolve_device(settings.device), settings.workers, SINGLE_PROCESS)
    tracker = Tracker(settings.tracking_uri, loaded.plan.dataset.name, pipeline_run=settings.pipeline_run)
    work = WorkFolder(folder, loaded.key)
    require_room(loaded.plan, work.path, device=compute.device, n_loaders=compute.n_loaders)
    trained = Runner(loaded, compute, work, tracker).train_fold(shard.number, Record(tracker, work, ""))
    result = trained.result
    return {
        "fold": float(shard.number),
        "epochs": float(result.epochs),
        "validation_dice": result.validation_dice,
        "minutes": trained.minutes,
    }


def join_folds(
    config: TrainConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Make the bundle of all folds, as `train` does that goes on after the last of them.

    A fold that is missing, or was trained on other data or params, is trained here.

    Args:
        config: How they were trained.
        inputs: Those of `train`, then the folder of each fold, by any name.
        outputs: `bundle`.
        settings: Device, workers and the tracking URI.

    Returns:
        The counts of `train`.

    Raises:
        ArtifactError: When an input or a fold's checkpoint is broken.
        ServiceError: When MLflow can't be reached.
    """
    given = {name: inputs[name] for name in STEP_INPUTS}
    work = WorkFolder.beside(outputs["bundle"], load_inputs(config, given, settings).key)
    for part in (path for name, path in inputs.items() if name not in given):
        for fold in sorted(path for path in part.iterdir() if path.is_dir()):
            if not (work.path / fold.name).exists():
                shutil.copytree(fold, work.path / fold.name)
    return run(config, given, outputs, settings)
