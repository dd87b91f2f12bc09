"""Bundles in the registry: each version of a registered model holds one, verified going in and coming out."""

import shutil
import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema

from lesionflow import __version__
from lesionflow.data.bundle import Bundle
from lesionflow.errors import ArtifactError, ServiceError
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.registry.store import quiet_loggers, reaching
from lesionflow.registry.tracking import Tracker
from lesionflow.registry.versions import (
    CHALLENGER,
    CHAMPION,
    DIGEST_TAG,
    PREVIOUS,
    ChampionChange,
    RegisteredVersion,
    find_version,
    list_models,
    list_versions,
    mark_aliases,
    require_version,
    rollback,
    set_alias,
    set_champion,
)

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "PREVIOUS",
    "ChampionChange",
    "RegisteredVersion",
    "fetch_bundle",
    "find_version",
    "list_models",
    "list_versions",
    "register_bundle",
    "require_version",
    "rollback",
    "set_alias",
    "set_champion",
]

BUNDLE = "bundle"
#: What a registered model needs where mlflow serves it; our own package apart, which no public index holds.
REQUIREMENTS = (
    "mlflow",
    "numpy",
    "pandas",
    "torch",
    "safetensors",
    "pydantic",
    "nibabel",
    "pydicom",
    "highdicom",
    "SimpleITK",
)
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec("string", "path"), ColSpec("string", "output", required=False)]),
    outputs=Schema([ColSpec("string", "path"), ColSpec("string", "target"), ColSpec("double", "volume_ml")]),
)
ALREADY_THERE = "RESOURCE_ALREADY_EXISTS"


def register_bundle(
    tracker: Tracker, run_id: str, bundle_folder: Path, model_name: str, *, program: Path, tags: Mapping[str, str]
) -> RegisteredVersion:
    """Register a bundle as a version of a model, alias `challenger`, and prove that it can be fetched again.

    A bundle that is registered already is not registered twice, so that a killed step can be run again.

    Args:
        tracker: The store and experiment.
        run_id: The run that made the bundle.
        bundle_folder: The bundle.
        model_name: The registered model, made when missing.
        program: The text that `mlflow models serve` runs, stored with the version.
        tags: Lineage and scores, kept with the version beside the bundle's digest.

    Returns:
        The version.

    Raises:
        ArtifactError: When the bundle is not whole.
        ServiceError: When the store can't be reached, or gives back other bytes than it was given.
    """
    digest = read_bundle(bundle_folder).digest
    tracking_uri = tracker.tracking_uri
    for found in list_versions(model_name, tracking_uri):
        if found.bundle_digest == digest and _is_whole(found, tracking_uri):
            break
    else:
        source, model_id = _log_model(tracker, run_id, bundle_folder, program, digest)
        with reaching(tracking_uri), quiet_loggers("mlflow.store.model_registry.abstract_store"):
            _make_registered_model(tracker.client, model_name)
            made = tracker.client.create_model_version(
                model_name, source, run_id=run_id, model_id=model_id, tags={**tags, DIGEST_TAG: digest}
            )
        found = require_version(model_name, str(made.version), tracking_uri)
        if not _is_whole(found, tracking_uri):
            message = (
                f"Expected MLflow to give back the bundle of {model_name} version {found.version} as it was stored, "
                "found other bytes or none. Look at its artifact store, delete the version and register again."
            )
            raise ServiceError(message)
    set_alias(model_name, CHALLENGER, found.version, tracking_uri)
    mark_aliases(model_name, tracking_uri)
    return require_version(model_name, found.version, tracking_uri)


def fetch_bundle(model_name: str, version_or_alias: str, tracking_uri: str) -> Bundle:
    """Fetch a registered bundle and verify every byte of it.

    Args:
        model_name: The registered model.
        version_or_alias: `champion`, `challenger`, `previous` or a version's number.
        tracking_uri: The store.

    Returns:
        The bundle.

    Raises:
        ArtifactError: When there is no such version, or its files are not those that were registered.
        ServiceError: When the store can't be reached.
    """
    found = require_version(model_name, version_or_alias, tracking_uri)
    with tempfile.TemporaryDirectory(prefix="lesionflow-fetch-") as folder:
        with reaching(tracking_uri):
            uri = f"{found.source.rstrip('/')}/artifacts/{BUNDLE}"
            path = mlflow.artifacts.download_artifacts(uri, dst_path=folder, tracking_uri=tracking_uri)
        bundle = read_bundle(Path(path))
    if bundle.digest != found.bundle_digest:
        message = (
            f"Expected bundle {found.bundle_digest:.12} in {model_name} version {found.version}, found "
            f"{bundle.digest:.12}: its files were exchanged. Choose another version."
        )
        raise ArtifactError(message)
    return bundle


def _log_model(tracker: Tracker, run_id: str, bundle_folder: Path, program: Path, digest: str) -> tuple[str, str]:
    """Log the bundle as an MLflow model of the run; return its source and id."""
    client = tracker.client
    with reaching(tracker.tracking_uri), tempfile.TemporaryDirectory(prefix="lesionflow-register-") as temporary:
        begun = client.search_logged_models([tracker.experiment_id], f"tags.{DIGEST_TAG} = '{digest}'", max_results=1)
        logged = begun[0] if begun else _create_logged_model(tracker, run_id, digest)
        # mlflow names the folder of an artifact as its source is named.
        copied = shutil.copytree(bundle_folder, Path(temporary) / BUNDLE)
        about = Model(run_id=run_id, model_id=logged.model_id, artifact_path=logged.artifact_location)
        _save_model(Path(temporary) / "model", copied, program, about)
        client.log_model_artifacts(logged.model_id, str(Path(temporary) / "model"))
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
        outputs = client.get_run(run_id).outputs
        if logged.model_id not in [output.model_id for output in (outputs.model_outputs if outputs else [])]:
            client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])
        return str(logged.artifact_location), str(logged.model_id)


def _create_logged_model(tracker: Tracker, run_id: str, digest: str) -> Any:
    tags = {DIGEST_TAG: digest}
    return tracker.client.create_logged_model(tracker.experiment_id, "model", source_run_id=run_id, tags=tags)


def _save_model(folder: Path, bundle_folder: Path, program: Path, about: Model) -> None:
    with warnings.catch_warnings():
        # mlflow wants an input example and type hints to infer what the signature already says.
        warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(program),
            artifacts={BUNDLE: str(bundle_folder)},
            pip_requirements=[f"{name}=={installed_version(name)}" for name in REQUIREMENTS],
            signature=SIGNATURE,
            mlflow_model=about,
            metadata={"lesionflow_version": __version__},
        )


def _make_registered_model(client: MlflowClient, model_name: str) -> None:
    try:
        client.create_registered_model(model_name)
    except MlflowException as error:
        if error.error_code != ALREADY_THERE:
            raise


def _is_whole(found: RegisteredVersion, tracking_uri: str) -> bool:
    """Fetch the bundle and compare: mlflow is known to drop artifacts without a word (its issue 18581)."""
    try:
        fetch_bundle(found.model_name, found.version, tracking_uri)
    except (ArtifactError, ServiceError):
        return False
    return True
