"""Which MLflow store, and which of its models, a command means."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionflow.cli.parser import offer
from lesionflow.config import Settings
from lesionflow.config.sqlite_address import sqlite_file
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.ledger import ledger_path
from lesionflow.registry.secrets import without_password
from lesionflow.workspace.layout import PATHS, STAGES, require_workspace, store_uri

if TYPE_CHECKING:
    from lesionflow.data.ledger import LedgerEntry

STORE = "MLFLOW_TRACKING_URI"


def add_workdir(command: Any) -> None:
    """Let a command take `--workdir`."""
    words = f"the workspace whose models are meant, where {STORE} names no store; without, the one here"
    command.add_argument("--workdir", type=Path, help=words)


def settings_of(parsed: argparse.Namespace) -> Settings:
    """Return the settings, their store that of the workspace that `--workdir` names, as `lesionflow run` had it.

    Raises:
        ConfigError: When there is no workspace.
    """
    settings = Settings()
    if parsed.workdir is None or STORE in os.environ:
        return settings
    require_workspace(parsed.workdir)
    return settings.model_copy(update={"tracking_uri": store_uri(parsed.workdir)})


def ledger_of(parsed: argparse.Namespace) -> Path:
    """Return the ledger of the workspace that `--workdir` names, or of the one here.

    Raises:
        ConfigError: When there is no workspace: a change of champion needs the ledger beside its split.
    """
    folder = parsed.workdir or Path()
    require_workspace(folder)
    return ledger_path(folder / PATHS["splits"])


def find_ledger(parsed: argparse.Namespace) -> Path | None:
    """Return the ledger as `ledger_of` does; None where nothing names a workspace and there is none here."""
    return ledger_of(parsed) if parsed.workdir is not None or Path(STAGES).exists() else None


def known_entries(parsed: argparse.Namespace, name: str, settings: Settings) -> "tuple[LedgerEntry, ...] | None":
    """Return what the ledger of the workspace and what is shared of a model say; None where there is neither.

    What can't be joined is warned of, and the ledger taken as it lies here: this only tells.

    Args:
        parsed: Says which workspace, if any.
        name: The registered model.
        settings: Whose store.

    Raises:
        ArtifactError: When the ledger was altered.
        ServiceError: When the store can't be reached.
    """
    from lesionflow.io.stores.ledger import read_ledger
    from lesionflow.registry.shared_state import shared_entries
    from lesionflow.steps.shared_state import joined_ledger

    ledger = find_ledger(parsed)
    try:
        if ledger is None:
            return shared_entries(name, settings.tracking_uri)
        splits = (parsed.workdir or Path()) / PATHS["splits"]
        with joined_ledger(splits, name, settings.tracking_uri) as (path, _):
            return read_ledger(path)
    except ArtifactError as error:
        sys.stderr.write(f"warning: {error}\n")
        return None if ledger is None else read_ledger(ledger)


def hold_champion(parsed: argparse.Namespace, name: str, asked: str, settings: Settings) -> tuple[str, ...]:
    """Hold what is asked for against the ledger of the workspace, joined with the shared one, before anything heavy is loaded.

    Args:
        parsed: Says which workspace, if any.
        name: The registered model.
        asked: An alias or a number.
        settings: Whose store.

    Returns:
        What should be said aloud.

    Raises:
        ArtifactError: When the alias `champion` leads elsewhere than the ledger says, or the version is not the one that it knows.
        ServiceError: When the store can't be reached.
    """
    ledger = find_ledger(parsed)
    if ledger is None:
        return ()
    from lesionflow.io.stores.ledger import read_ledger
    from lesionflow.registry.succession import hold_against_ledger
    from lesionflow.registry.versions import require_version
    from lesionflow.steps.shared_state import joined_ledger

    version = require_version(name, asked, settings.tracking_uri)
    splits = (parsed.workdir or Path()) / PATHS["splits"]
    with joined_ledger(splits, name, settings.tracking_uri) as (path, _):
        return hold_against_ledger(version, asked, read_ledger(path))


def require_run(settings: Settings) -> None:
    """Refuse to look for models in a workspace in which nothing was run yet; a store that is elsewhere is not looked at.

    Raises:
        ArtifactError: When the store is a workspace's own, and not made yet.
    """
    database = sqlite_file(settings.tracking_uri)
    if database is None or database.exists() or not (database.parent / STAGES).exists():
        return
    folder = database.parent.resolve()
    where = "" if folder == Path.cwd() else f" --workdir {folder}"
    raise ArtifactError(
        f"Expected a model in the workspace {folder}, found that no run was made here yet. Give `lesionflow run{where}`, which makes the first model; "
        f"where the models are kept elsewhere, set {STORE}."
    )


def model_name(given: str | None, settings: Settings) -> str:
    """Return the model meant: as given, by `LESIONFLOW_MODEL_NAME`, or the only one in the store.

    Args:
        given: What the command line says; None for nothing.
        settings: Whose store.

    Raises:
        ArtifactError: When no run was made yet in the workspace.
        ConfigError: When the store has no such model, none at all, or several and none is named.
        ServiceError: When the store can't be reached.
    """
    from lesionflow.registry.versions import list_models

    require_run(settings)
    name = given or os.environ.get("LESIONFLOW_MODEL_NAME")
    names = list_models(settings.tracking_uri)
    found = ", ".join(names) or "none"
    if name and name not in names:
        raise ConfigError(
            f"Expected a registered model {name!r:.80} in {without_password(settings.tracking_uri)}, found {found}. {offer(name, names)}".strip()
        )
    if name:
        return name
    if not names:
        raise ConfigError(
            f"Expected one registered model in {without_password(settings.tracking_uri)}, found none: no run has registered one there yet. "
            f"`lesionflow run` makes the first; where it is kept elsewhere, set {STORE} or --workdir."
        )
    if len(names) != 1:
        raise ConfigError(
            f"Expected one registered model in {without_password(settings.tracking_uri)}, found {found}. Name it with --model-name, or set "
            f"{STORE} or --workdir to where it is."
        )
    return names[0]
