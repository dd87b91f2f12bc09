"""Bundles in the registry: each version of a registered model holds one, verified going in and coming out."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version as installed_version
from pathlib import Path

import mlflow
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema

from lesionflow import __version__
from lesionflow.data.bundle import Bundle
from lesionflow.data.seal import Seal
from lesionflow.errors import ArtifactError, ConfigError, ServiceError
from lesionflow.io.attestations.chain import Chain
from lesionflow.io.attestations.folder import read_chain
from lesionflow.io.signing.bundle_manifest import INNER, MANIFEST, require_trusted, sign_bundle, verify_bundle
from lesionflow.io.signing.keys import SigningKey, load_signing_key, load_trusted_keys
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.registry.mlflow_store import artifact_place, one_writer, quiet_loggers, reaching, with_driver
from lesionflow.registry.pages.champion_marks import LONGEST_DESCRIPTION
from lesionflow.registry.pages.descriptions import CARD, put_section, shorten_sections
from lesionflow.registry.tracking import Tracker
from lesionflow.registry.versions import (
    CHALLENGER,
    DIGEST_TAG,
    RegisteredVersion,
    keep_first,
    list_versions,
    make_registered_model,
    mark_aliases,
    require_version,
    set_alias,
    tag_version,
)

BUNDLE = INNER.name
#: Tags of a version: the manifest of its folder, and by which key it is signed.
MANIFEST_TAG, SIGNED_BY_TAG, NOBODY = "manifest_sha256", "signed_by", "nobody"
#: What a registered model needs where mlflow serves it; our own package apart, which no public index holds.
REQUIREMENTS = (
    "mlflow", "numpy", "pandas", "torch", "safetensors", "pydantic", "nibabel", "pydicom", "highdicom", "SimpleITK",
)  # fmt: skip
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec("string", "path"), ColSpec("string", "output", required=False)]),
    outputs=Schema([ColSpec("string", "path"), ColSpec("string", "target"), ColSpec("double", "volume_ml")]),
)


def register_bundle(
    tracker: Tracker,
    run_id: str,
    bundle_folder: Path,
    model_name: str,
    *,
    program: Path,
    tags: Mapping[str, str],
    documents: Mapping[str, str] | None = None,
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
        documents: Texts for people by file name, kept beside the bundle under the same seal; a Markdown one is the version's description.

    Returns:
        The version.

    Raises:
        ArtifactError: When the bundle is not whole.
        ConfigError: When trusted keys are set and the key to sign with is none of them: nobody here could use the version.
        ServiceError: When the store can't be reached, or gives back other bytes than it was given.
    """
    key, digest = _key_that_counts(), read_bundle(bundle_folder).digest
    with one_writer(tracking_uri := tracker.tracking_uri):
        before = list_versions(model_name, tracking_uri)
        whole = (one for one in before if one.bundle_digest == digest and _is_whole(one, tracking_uri))
        if (found := next(whole, None)) is None:
            made = _make_version(
                tracker, run_id, bundle_folder, model_name, program, {**tags, DIGEST_TAG: digest}, key, documents or {}
            )
            found = keep_first(made, {one.version for one in before}, tracking_uri)
        elif key is not None and found.tags.get(SIGNED_BY_TAG) != key.key_id:
            _, _, seal = _log_model(tracker, run_id, bundle_folder, program, digest, key, documents or {})
            tag_version(model_name, found.version, _tags_of(seal), tracking_uri)
    set_alias(model_name, CHALLENGER, found.version, tracking_uri)
    mark_aliases(model_name, tracking_uri)
    return require_version(model_name, found.version, tracking_uri)


def _make_version(
    tracker: Tracker,
    run_id: str,
    bundle_folder: Path,
    model_name: str,
    program: Path,
    tags: Mapping[str, str],
    key: SigningKey | None,
    documents: Mapping[str, str],
) -> RegisteredVersion:
    """Store a bundle, name it a version, and fetch it again."""
    source, model_id, seal = _log_model(tracker, run_id, bundle_folder, program, tags[DIGEST_TAG], key, documents)
    card = next((text for name, text in documents.items() if name.endswith(".md")), None)
    with reaching(tracker.tracking_uri), quiet_loggers("mlflow.store.model_registry.abstract_store"):
        make_registered_model(tracker.client, model_name)
        made = tracker.client.create_model_version(
            model_name,
            source,
            run_id=run_id,
            model_id=model_id,
            tags={**tags, **_tags_of(seal)},
            description=None if card is None else shorten_sections(put_section("", CARD, card), LONGEST_DESCRIPTION),
        )
    found = require_version(model_name, str(made.version), tracker.tracking_uri)
    if not _is_whole(found, tracker.tracking_uri):
        message = (
            f"Expected MLflow to give back the bundle of {model_name} version {found.version} as it was stored, "
            "found other bytes or none. Look at its artifact store, delete the version and register again."
        )
        raise ServiceError(message)
    return found


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
    return fetch_attested(model_name, version_or_alias, tracking_uri)[0]


def fetch_attested(model_name: str, version_or_alias: str, tracking_uri: str) -> tuple[Bundle, Chain | None]:
    """Fetch a bundle as `fetch_bundle`, and the chain of steps behind it; None where it was registered without."""
    with fetched_version(model_name, version_or_alias, tracking_uri) as (found, folder, seal):
        require_trusted(seal, name=f"{model_name} version {found.version}")
        bundle, chain = read_bundle(folder / INNER), read_chain(folder, found.bundle_digest, load_trusted_keys())
    if bundle.digest != found.bundle_digest:
        raise ArtifactError(
            f"Expected bundle {found.bundle_digest:.12} in {model_name} version {found.version}, found {bundle.digest:.12}: its files were exchanged. "
            "Choose another version."
        )
    return replace(bundle, seal=seal), chain


@contextmanager
def fetched_version(
    model_name: str, version_or_alias: str, tracking_uri: str
) -> Iterator[tuple[RegisteredVersion, Path, Seal]]:
    """Give all files of a registered version, verified against its manifest, for as long as the block lasts.

    Args:
        model_name: The registered model.
        version_or_alias: `champion`, `challenger`, `previous` or a version's number.
        tracking_uri: The store.

    Yields:
        The version; a folder with all that MLflow keeps of it, the bundle at `INNER`; and who vouches for it: whether that is enough
        is for the caller to judge.

    Raises:
        ArtifactError: When there is no such version, or its files are not those that were registered.
        ServiceError: When the store can't be reached.
    """
    found = require_version(model_name, version_or_alias, tracking_uri)
    with tempfile.TemporaryDirectory(prefix="lesionflow-fetch-") as temporary:
        with reaching(tracking_uri):
            place = artifact_place(found.source.rstrip("/"), tracking_uri)
            path = mlflow.artifacts.download_artifacts(
                place, dst_path=temporary, tracking_uri=with_driver(tracking_uri)
            )
        seal = verify_bundle(Path(path))
        registered = found.tags.get(MANIFEST_TAG, "")
        if registered != seal.manifest_sha256:
            what = "another" if registered and seal.manifest_sha256 else "none" if registered else "one"
            raise ArtifactError(
                f"Expected {f'the {MANIFEST} {registered:.12}' if registered else f'no {MANIFEST}'} in {model_name} version {found.version}, "
                f"as it was registered, found {what}: its files were exchanged. Choose another version."
            )
        yield found, Path(path), seal


def _key_that_counts() -> SigningKey | None:
    """Return the key to sign with, None where none is named; refuse one that is not trusted where trusted keys are set."""
    key, trusted = load_signing_key(), load_trusted_keys()
    if trusted and (key is None or key.key_id not in trusted):
        found = "none" if key is None else f"{key.key_id:.12}"
        raise ConfigError(
            f"Expected LESIONFLOW_SIGNING_KEY to name one of the keys in LESIONFLOW_TRUSTED_KEYS, found {found}. Set it, or register where "
            "no trusted keys are set."
        )
    return key


def _tags_of(seal: Seal) -> dict[str, str]:
    return {MANIFEST_TAG: seal.manifest_sha256, SIGNED_BY_TAG: seal.key_id or NOBODY}


def _log_model(
    tracker: Tracker,
    run_id: str,
    bundle_folder: Path,
    program: Path,
    digest: str,
    key: SigningKey | None,
    documents: Mapping[str, str],
) -> tuple[str, str, Seal]:
    """Log the bundle as an MLflow model of the run; return its source, its id and its seal."""
    client = tracker.client
    with reaching(tracker.tracking_uri), tempfile.TemporaryDirectory(prefix="lesionflow-register-") as temporary:
        begun = client.search_logged_models([tracker.experiment_id], f"tags.{DIGEST_TAG} = '{digest}'", max_results=1)
        logged = (
            begun[0]
            if begun
            else client.create_logged_model(
                tracker.experiment_id, "model", source_run_id=run_id, tags={DIGEST_TAG: digest}
            )
        )
        # mlflow names the folder of an artifact as its source is named.
        copied = shutil.copytree(bundle_folder, Path(temporary) / BUNDLE)
        about = Model(run_id=run_id, model_id=logged.model_id, artifact_path=logged.artifact_location)
        if key is not None or not (copied / MANIFEST).exists():
            sign_bundle(copied, key)
        _save_model(folder := Path(temporary) / "model", copied, program, about)
        for name, text in documents.items():
            (folder / name).write_text(text, encoding="utf-8")
        seal = sign_bundle(folder, key)
        client.log_model_artifacts(logged.model_id, str(folder))
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
        outputs = client.get_run(run_id).outputs
        if logged.model_id not in [output.model_id for output in (outputs.model_outputs if outputs else [])]:
            client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])
        return str(logged.artifact_location), str(logged.model_id), seal


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


def _is_whole(found: RegisteredVersion, tracking_uri: str) -> bool:
    """Fetch the bundle and compare: mlflow is known to drop artifacts without a word (its issue 18581)."""
    try:
        fetch_bundle(found.model_name, found.version, tracking_uri)
    except (ArtifactError, ServiceError):
        return False
    return True
