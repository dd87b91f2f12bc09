"""Results that DVC takes for done while the store at hand does not know their model: an experiment's, or a colleague's."""

from pathlib import Path

from lesionflow.errors import ArtifactError
from lesionflow.io.stores.registrations import Registration, read_registration
from lesionflow.workspace.layout import PATHS

NOTHING = Registration(model_name="", version="", run_id="", bundle_digest="", alias="")


def registration_of(folder: Path) -> Registration:
    """Return what a workspace's last run registered; one without a name where there is none that can be read."""
    try:
        return read_registration(folder / PATHS["registration"])
    except (ArtifactError, OSError):
        return NOTHING


def registered_at(folder: Path) -> int:
    """Return when a workspace's registration was written, in nanoseconds; 0 where there is none."""
    path = folder / PATHS["registration"]
    return path.stat().st_mtime_ns if path.exists() else 0


def unknown_here(folder: Path, tracking_uri: str) -> str:
    """Say how this machine gets to know the model that was registered elsewhere; nothing where the store knows it.

    Args:
        folder: A workspace.
        tracking_uri: The store that commands use here.

    Raises:
        ServiceError: When the store can't be reached.
    """
    registration = registration_of(folder)
    if not registration.version:
        return ""
    from lesionflow.registry.secrets import without_password
    from lesionflow.registry.versions import find_version

    found = find_version(registration.model_name, registration.version, tracking_uri)
    if found is not None and found.bundle_digest == registration.bundle_digest:
        return ""
    other = "holds another model as" if found else "does not know"
    return (
        f"Everything is up to date here, but the store {without_password(tracking_uri)} {other} version {registration.version} of "
        f"{registration.model_name}: it was registered in another one, as a colleague's results are after `git clone` and `dvc pull`. So this "
        "machine has no champion of it.\n"
        "  To share the team's champion, test set and ledger: export MLFLOW_TRACKING_URI=(the team's store), and run again.\n"
        "  To use the model alone: `lesionflow predict STUDY -o MASK --model models/candidate`.\n"
        "  To begin a history of one's own here: `dvc repro --force --single-item register`, then `lesionflow run`.\n"
    )
