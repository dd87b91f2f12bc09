"""Registered versions kept on this machine's disk, for processes that must not ask the registry; how they are verified lies in `registered_bundles`."""

import shutil
from pathlib import Path

from lesionflow.io.attestations.folder import read_chain
from lesionflow.io.signing.bundle_manifest import require_trusted
from lesionflow.io.signing.keys import load_trusted_keys
from lesionflow.registry.registered_bundles import fetched_version
from lesionflow.registry.versions import RegisteredVersion


def keep_version(model_name: str, version_or_alias: str, tracking_uri: str, folder: Path) -> RegisteredVersion:
    """Fetch a registered version with all that lies around its bundle, verified against its manifest and the chain of steps behind it.

    Args:
        model_name: The registered model.
        version_or_alias: `champion`, `challenger`, `previous` or a version's number.
        tracking_uri: The store.
        folder: Where it is kept, as MLflow keeps it; made here.

    Returns:
        The version; its bundle's digest is for the reader to hold against what lies in the folder.

    Raises:
        ArtifactError: When there is no such version, its files are not those that were registered, or nobody who counts signed it.
        ServiceError: When the store can't be reached.
    """
    with fetched_version(model_name, version_or_alias, tracking_uri) as (found, fetched, seal):
        require_trusted(seal, name=f"{model_name} version {found.version}")
        read_chain(fetched, found.bundle_digest, load_trusted_keys())
        shutil.copytree(fetched, folder)
    return found
