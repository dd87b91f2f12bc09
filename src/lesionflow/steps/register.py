"""The step `register`: make the bundle a version of the registered model, alias `challenger`."""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from lesionflow.config import RegisterConfig, Settings
from lesionflow.data.bundle import Bundle
from lesionflow.errors import ArtifactError
from lesionflow.io.bundles import read_bundle
from lesionflow.io.storage import write_text
from lesionflow.registry.models import CHALLENGER, register_bundle
from lesionflow.registry.tracking import Tracker

EVALUATION, METRICS = "evaluation.json", "metrics.json"
logger = logging.getLogger(__name__)


class Registration(BaseModel):
    """What `register` writes: which version of which model the bundle is."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_name: str
    version: str
    run_id: str
    bundle_digest: str
    alias: str


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
    evaluation = read_evaluation(inputs["evaluation"], bundle.digest)
    tracker = Tracker(settings.tracking_uri, bundle.card.tracking_experiment)
    run_id = bundle.card.run_id
    if not tracker.has_run(run_id):
        logger.warning("MLflow does not know run %s of this bundle: a run is made for it", run_id or "(none)")
        with tracker.run("imported bundle", {"bundle_digest": bundle.digest}) as run_id:
            tracker.log_params(run_id, {"train": bundle.card.train_params})
    tags = _tags(bundle, read_json(inputs["evaluation"] / METRICS), evaluation)
    registered = register_bundle(tracker, run_id, inputs["bundle"], config.model_name, tags=tags)
    registration = Registration(
        model_name=config.model_name,
        version=registered.version,
        run_id=registered.run_id,
        bundle_digest=bundle.digest,
        alias=CHALLENGER,
    )
    write_text(outputs["registration"], registration.model_dump_json(indent=2) + "\n")
    logger.info("%s version %s is the challenger", config.model_name, registered.version)
    return {"version": float(registered.version)}


def read_registration(path: Path) -> Registration:
    """Read what `register` wrote.

    Raises:
        ArtifactError: When it is not that.
    """
    try:
        return Registration.model_validate(read_json(path))
    except ValidationError as error:
        raise ArtifactError(f"Expected a registration in {path.name}, found: {error}. Run register.") from error


def read_evaluation(folder: Path, bundle_digest: str) -> dict[str, Any]:
    """Read `evaluation.json`: what was evaluated, on which test set.

    Raises:
        ArtifactError: When it is missing, or of another bundle.
    """
    evaluation = read_json(folder / EVALUATION)
    if evaluation.get("bundle_digest") != bundle_digest:
        message = (
            f"Expected an evaluation of bundle {bundle_digest:.12}, found one of "
            f"{evaluation.get('bundle_digest')!s:.12}. Run evaluate again."
        )
        raise ArtifactError(message)
    return evaluation


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object that a step wrote.

    Raises:
        ArtifactError: When it is missing or none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"Expected a JSON file {path.name}, found: {error}. Run its step again.") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"Expected a JSON object in {path.name}, found {type(content).__name__}.")
    return content


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
