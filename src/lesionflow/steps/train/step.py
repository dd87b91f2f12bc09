"""The step `train`: preprocessed cases in, bundle out; the run in MLflow."""

import logging
from collections.abc import Mapping
from pathlib import Path

from lesionflow.config import Settings, TrainConfig
from lesionflow.io.signing.keys import load_signing_key
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.registry.tracking import Tracker
from lesionflow.steps.train.calibration import calibrate, require_cases
from lesionflow.steps.train.compute import Compute
from lesionflow.steps.train.mlflow_record import open_record
from lesionflow.steps.train.needed_resources import require_room
from lesionflow.steps.train.processes.leader import process_group, run_worker, share_of, without_source
from lesionflow.steps.train.runner import Runner
from lesionflow.steps.train.training_inputs import load_inputs
from lesionflow.steps.train.work_folder import WorkFolder
from lesionflow.training import resolve_device

logger = logging.getLogger(__name__)


def run(
    config: TrainConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Train the plan's network, or one a fold; write the bundle with the weights that were best on the validation cases.

    The same params and data give the same weights on the same machine, unless its minutes end training: presets are
    chosen so that `max_epochs` does. Killed and started again, training goes on after the last whole epoch.

    Args:
        config: How to train.
        inputs: `cases`, `preprocessed`, `splits` and `plan`. The studies themselves are needed as rules and confidence are
            fitted on whole validation cases in their own space.
        outputs: `bundle`, a folder.
        settings: Device, workers and the tracking URI.

    Returns:
        `epochs`, `validation_dice` and `minutes`; in a process that helps another, its number alone.

    Raises:
        ArtifactError: When an input is broken or holds no case to train or validate on.
        ServiceError: When MLflow can't be reached.
        ConfigError: When the loss or the first weights do not fit the plan, or memory or disk do not hold the training.
        LesionFlowError: When the loss is not finite from the start.
    """
    device = resolve_device(settings.device)
    with process_group(config, inputs, settings, device) as processes:
        compute = Compute(device, share_of(settings.workers, config), processes)
        if not processes.leads:
            run_worker(load_inputs(without_source(config), inputs, settings), compute)
            return {"rank": processes.rank}
        return _lead(config, inputs, outputs, settings, compute)


def _lead(
    config: TrainConfig,
    inputs: Mapping[str, Path],
    outputs: Mapping[str, Path],
    settings: Settings,
    compute: Compute,
) -> dict[str, float]:
    # A key that can't be read is told of now, not after hours of training.
    load_signing_key()
    loaded = load_inputs(config, inputs, settings)
    require_cases(inputs["cases"], validation=loaded.validation, training=loaded.train)
    work = WorkFolder.beside(outputs["bundle"], loaded.key)
    tracker = Tracker(settings.tracking_uri, loaded.plan.dataset.name, pipeline_run=settings.pipeline_run)
    require_room(loaded.plan, work.path, device=compute.device, n_loaders=compute.n_loaders)
    logger.info("to end this training cleanly before its time: touch %s", work.stop_file)
    with open_record(tracker, work, loaded.combined, compute.device) as record:
        tracker.set_tags(record.run_id, {"trigger": settings.trigger})
        model = Runner(loaded, compute, work, tracker).train(record)
        bundle = calibrate(
            model.bundle, inputs["cases"], record, device=compute.device, out_of_fold_models=model.out_of_fold_models
        )
        write_bundle(outputs["bundle"], bundle)
    work.remove()
    card = bundle.card
    return {"epochs": card.epochs, "validation_dice": card.validation_dice, "minutes": model.minutes}
