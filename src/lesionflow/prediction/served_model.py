"""The model that predicts: a bundle and its name, from a folder or from the registry."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lesionflow.data.bundle import Bundle
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.signing.bundle_manifest import INNER, require_trusted, verify_bundle
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.prediction import DISCLAIMER, SHOWN_DIGEST

#: What DICOM's type of a software version holds (LO, PS3.5 6.2).
LONGEST_VERSION = 64


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A bundle and what it is called in the registry."""

    name: str
    version: str
    bundle: Bundle

    def describe(self) -> dict[str, Any]:
        """Return what a client may know of the model, as plain values."""
        plan, card = self.bundle.plan, self.bundle.card
        return {
            "model_name": self.name,
            "model_version": self.version,
            "bundle_digest": self.bundle.digest,
            "channels": dict(plan.dataset.channels),
            "targets": [target.name for target in plan.targets],
            "dataset": plan.dataset.name,
            "architecture": plan.architecture.name,
            "n_trained_cases": len(card.trained_cases),
            "validation_dice": card.validation_dice,
            **card.model_dump(
                include={"run_id", "plan_sha256", "code_revision", "data_revision", "lesionflow_version"}
            ),
            "seal": self.bundle.seal.model_dump(mode="json", include={"state", "key_id"}),
            "disclaimer": DISCLAIMER,
        }

    @property
    def software_version(self) -> str:
        """What headers of DICOM call the model: by the end a mask is traced to its model; a long name gives way."""
        number = f" {self.version} {self.bundle.digest:.{SHOWN_DIGEST}}"
        return f"{self.name[: LONGEST_VERSION - len(number)]}{number}"

    @property
    def doubt(self) -> str:
        """What is said aloud where nobody who counts vouches for the bundle; empty where somebody does."""
        if self.bundle.seal.trusted:
            return ""
        return (
            f"the model {self.name}, version {self.version}, is {self.bundle.seal.in_words()}: nobody vouches for it. Set "
            "LESIONFLOW_TRUSTED_KEYS to the team's public keys to take sealed models alone."
        )


def load_kept(folder: Path, name: str, version: str, bundle_digest: str) -> ServedModel:
    """Load a model from where it is kept on this machine, and verify every byte again.

    Args:
        folder: A bundle, or all that MLflow keeps of a version, with the bundle at `INNER`.
        name: What it is called.
        version: Its number, or `bundle-<digest>`.
        bundle_digest: What it must be; empty where nobody knows.

    Raises:
        ArtifactError: When it is not whole, another, or trusted keys are set and none of them signed it.
    """
    if (folder / INNER).is_dir():
        bundle = replace(read_bundle(folder / INNER), seal=verify_bundle(folder))
    else:
        bundle = read_bundle(folder)
    require_trusted(bundle.seal, name=f"{name} version {version}")
    if bundle_digest and bundle.digest != bundle_digest:
        raise ArtifactError(
            f"Expected bundle {bundle_digest:.12} in {name} version {version}, found {bundle.digest:.12}: its files were exchanged. Choose another version."
        )
    return ServedModel(name, version or f"bundle-{bundle.digest:.12}", bundle)


def load_model(model: str, model_name: str | None, tracking_uri: str, ledger: Path | None = None) -> ServedModel:
    """Load a model by whatever it is called.

    Args:
        model: `champion`, `challenger`, `previous`, a version number, or the folder of a bundle.
        model_name: The registered model; not needed with the folder of a bundle.
        tracking_uri: MLflow's.
        ledger: What a registered model's bytes are held against beside its digest in MLflow; None where there is no workspace.

    Returns:
        The model; its version is the registry's number, or `bundle-<digest>` for a bundle that came from a folder.

    Raises:
        ConfigError: When an alias or number is given without the model's name.
        ArtifactError: When there is no such model or it is not whole, or trusted keys are set and none of them signed it.
        ServiceError: When the registry can't be reached.
    """
    if Path(model).is_dir():
        bundle = read_bundle(Path(model))
        require_trusted(bundle.seal, name=f"the bundle {bundle.digest:.12}")
        return ServedModel(model_name or bundle.plan.dataset.name, f"bundle-{bundle.digest:.12}", bundle)
    if not model_name:
        message = (
            f"Expected the name of the registered model whose {model!r} is meant, or the folder of a bundle, found "
        )
        raise ConfigError(message + "neither. Set LESIONFLOW_MODEL_NAME or name a folder.")
    # mlflow takes six seconds; a bundle from a folder needs none of it.
    from lesionflow.registry.registered_bundles import fetch_bundle
    from lesionflow.registry.versions import require_version

    # The alias may move between two calls; the number does not.
    version = require_version(model_name, model, tracking_uri).version
    if ledger is None:
        return ServedModel(model_name, version, fetch_bundle(model_name, version, tracking_uri))
    from lesionflow.registry.succession import fetch_known

    return ServedModel(model_name, version, fetch_known(model_name, version, ledger, tracking_uri))
