"""The step `register`: make the bundle a version of the registered model, alias `challenger`."""

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lesionflow.config import RegisterConfig, Settings
from lesionflow.data.bundle import Bundle
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.io.stores.evaluations import read_about, read_metrics
from lesionflow.io.stores.registrations import Registration, write_registration
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.models import CHALLENGER, register_bundle
from lesionflow.registry.tracking import Tracker

logger = logging.getLogger(__name__)


def run(
    config: RegisterConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Register the bundle; one that is registered already keeps its version.

    Args:
        config: The model's name.
        inputs: `bundle` and `evaluation`.
        outputs: `registration`, a JSON file.
        settings: The tracking URI.

    Returns:
        `version`.

    Raises:
        ArtifactError: When the bundle is not whole or the evaluation is not of this bundle.
        ServiceError: When MLflow can't be reached or loses what it is given.
    """
    bundle = read_bundle(inputs["bundle"])
    evaluation = read_about(inputs["evaluation"], bundle.digest)
    tracker = Tracker(settings.tracking_uri, bundle.card.tracking_experiment)
    run_id = bundle.card.run_id
    if not tracker.has_run(run_id):
        logger.warning("MLflow does not know run %s of this bundle: a run is made for it", run_id or "(none)")
        with tracker.run("imported bundle", {"bundle_digest": bundle.digest}) as run_id:
            tracker.log_params(run_id, {"train": bundle.card.train_params})
    tags = _tags(bundle, read_metrics(inputs["evaluation"]), evaluation)
    registered = register_bundle(
        tracker, run_id, inputs["bundle"], config.model_name, program=MLFLOW_PROGRAM, tags=tags
    )
    registration = Registration(
        model_name=config.model_name,
        version=registered.version,
        run_id=registered.run_id,
        bundle_digest=bundle.digest,
        alias=CHALLENGER,
    )
    write_registration(outputs["registration"], registration)
    logger.info("%s version %s is the challenger", config.model_name, registered.version)
    return {"version": float(registered.version)}


def _tags(bundle: Bundle, metrics: Mapping[str, Any], evaluation: Mapping[str, Any]) -> dict[str, str]:
    card = bundle.card
    dice = metrics.get("dice") or {}
    return {
        "code_revision": card.code_revision,
        "data_revision": card.data_revision,
        "lesionflow_version": card.lesionflow_version,
        "plan_sha256": card.plan_sha256,
        "test_dice": f"{_number(dice.get('mean')):.4f}",
        "test_dice_interval": f"{_number(dice.get('low')):.4f} to {_number(dice.get('high')):.4f}",
        "test_set_sha256": str(evaluation.get("test_set_sha256", "")),
        "against_champion": str(evaluation.get("against_champion", "")),
    }


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
