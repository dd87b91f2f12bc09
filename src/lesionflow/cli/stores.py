"""Which MLflow store, and which of its models, a command means."""

import argparse
import os
from pathlib import Path
from typing import Any

from lesionflow.cli.parser import offer
from lesionflow.config import Settings
from lesionflow.errors import ConfigError
from lesionflow.registry.secrets import without_password
from lesionflow.workspace.layout import require_workspace, store_uri

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


def model_name(given: str | None, settings: Settings) -> str:
    """Return the model meant: as given, by `LESIONFLOW_MODEL_NAME`, or the only one in the store.

    Args:
        given: What the command line says; None for nothing.
        settings: Whose store.

    Raises:
        ConfigError: When the store has no such model, none at all, or several and none is named.
        ServiceError: When the store can't be reached.
    """
    from lesionflow.registry.versions import list_models

    name = given or os.environ.get("LESIONFLOW_MODEL_NAME")
    names = list_models(settings.tracking_uri)
    found = ", ".join(names) or "none"
    if name and name not in names:
        raise ConfigError(
            f"Expected a registered model {name!r:.80} in {without_password(settings.tracking_uri)}, found {found}. {offer(name, names)}".strip()
        )
    if name:
        return name
    if len(names) != 1:
        raise ConfigError(
            f"Expected one registered model in {without_password(settings.tracking_uri)}, found {found}. Name it with --model-name, or set "
            f"{STORE} or --workdir to where it is."
        )
    return names[0]
