"""The step `register`: make the bundle a version of the registered model, alias `challenger`."""

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lesionflow.config import RegisterConfig, Settings
from lesionflow.data.bundle import Bundle
from lesionflow.errors import ArtifactError
from lesionflow.evaluation.cards.model_card import CardFacts, card_files
from lesionflow.io.attestations.folder import CHAIN, REGISTERED, write_chain
from lesionflow.io.signing.keys import load_signing_key
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.io.stores.evaluations import read_about, read_cohort, read_metrics
from lesionflow.io.stores.registrations import Registration, write_registration
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.registered_bundles import fetch_bundle, register_bundle
from lesionflow.registry.tracking import Tracker
from lesionflow.registry.versions import CHALLENGER, CHAMPION, find_version
from lesionflow.steps.attesting import StepWitness
from lesionflow.steps.experiments import experiment_name

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
        `version`; 0 within an experiment of DVC, which is not registered.

    Raises:
        ArtifactError: When the bundle is not whole or the evaluation is not of this bundle.
        ServiceError: When MLflow can't be reached or loses what it is given.
    """
    bundle = read_bundle(inputs["bundle"])
    evaluation = read_about(inputs["evaluation"], bundle.digest)
    if experiment := experiment_name():
        logger.warning(
            "%s is an experiment: nothing is registered; `dvc exp apply`, then `lesionflow run` does it", experiment
        )
        kept = Registration(
            model_name=config.model_name,
            version="",
            run_id=bundle.card.run_id,
            bundle_digest=bundle.digest,
            alias="",
            experiment=experiment,
        )
        write_registration(outputs["registration"], kept)
        return {"version": 0.0}
    tracker = Tracker(settings.tracking_uri, bundle.card.tracking_experiment)
    run_id = bundle.card.run_id
    if not tracker.has_run(run_id):
        logger.warning("MLflow does not know run %s of this bundle: a run is made for it", run_id or "(none)")
        with tracker.run("imported bundle", {"bundle_digest": bundle.digest}) as run_id:
            tracker.log_params(run_id, {"train": bundle.card.train_params})
    tags = _tags(bundle, read_metrics(inputs["evaluation"]), evaluation) | {"trigger": settings.trigger}
    documents = dict(card_files(_card_facts(bundle, inputs["evaluation"], config.model_name, settings)))
    registered = register_bundle(
        tracker,
        run_id,
        inputs["bundle"],
        config.model_name,
        program=MLFLOW_PROGRAM,
        tags=tags,
        documents=documents | _attestations(config, inputs, bundle.digest, settings),
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


def _attestations(
    config: RegisterConfig, inputs: Mapping[str, Path], digest: str, settings: Settings
) -> dict[str, str]:
    """Return what goes with the version: the attestations of all steps behind it and its own, where those are known."""
    witness = StepWitness("register", config, inputs, settings)
    if not witness.lines:
        logger.warning(
            "no step attests bundle %.12s: it was made outside of the pipeline, or its attestations were lost", digest
        )
        return {}
    return {CHAIN: write_chain((witness.write({REGISTERED: digest}), *witness.lines))}


def _card_facts(bundle: Bundle, evaluation: Path, model_name: str, settings: Settings) -> CardFacts:
    key = load_signing_key()
    return CardFacts(
        model_name=model_name,
        bundle=bundle,
        metrics=read_metrics(evaluation),
        cohort=read_cohort(evaluation),
        against_champion=str(read_about(evaluation, bundle.digest).get("against_champion", "")),
        champion=_champion(bundle, model_name, settings),
        signed_by="unsigned" if key is None else f"signed by the key {key.key_id}",
    )


def _champion(bundle: Bundle, model_name: str, settings: Settings) -> tuple[str, Bundle] | None:
    found = find_version(model_name, CHAMPION, settings.tracking_uri)
    if found is None or found.bundle_digest == bundle.digest:
        return None
    try:
        return found.version, fetch_bundle(model_name, found.version, settings.tracking_uri)
    except ArtifactError as error:
        logger.warning("the model card does not say what changed since the champion: %s", error)
        return None


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
