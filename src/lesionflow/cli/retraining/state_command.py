"""`lesionflow state`: the lock of the test set, the ledger and the change plan that a registered model shares."""

import argparse
import sys
from pathlib import Path
from typing import Any

from lesionflow.cli.chosen_store import settings_of
from lesionflow.config import load_params
from lesionflow.config.change_plan import CHANGE_PLAN
from lesionflow.errors import ConfigError
from lesionflow.workspace.layout import PATHS, require_workspace


def add_commands(commands: Any) -> None:
    """Add `state show`, `state fetch` and `state push`."""
    state = commands.add_parser(
        "state", help="the locked test set, ledger and change plan that a registered model shares"
    )
    actions = state.add_subparsers(required=True, metavar="ACTION")
    for name, words, run in (
        ("show", "say what is shared", _show),
        ("fetch", "bring what is shared into the workspace; refused where the two disagree", _fetch),
        ("push", "share what the workspace has; refused where the two disagree", _push),
    ):
        action = actions.add_parser(name, help=words)
        action.add_argument("--workdir", type=Path, default=Path(), help="the workspace")
        action.set_defaults(run=run)


def _show(parsed: argparse.Namespace) -> int:
    from lesionflow.steps.shared_state import describe_shared

    for line in describe_shared(_model_name(parsed), settings_of(parsed).tracking_uri):
        _say(line)
    return 0


def _fetch(parsed: argparse.Namespace) -> int:
    from lesionflow.steps.shared_state import fetch_shared

    name, workspace = _model_name(parsed), parsed.workdir
    there = fetch_shared(
        workspace / PATHS["splits"], name, settings_of(parsed).tracking_uri, change_plan=workspace / CHANGE_PLAN
    )
    _say(f"The split and the ledger are those that {name} shares." if there else f"{name} shares nothing yet.")
    return 0


def _push(parsed: argparse.Namespace) -> int:
    from lesionflow.steps.shared_state import push_shared

    name, workspace = _model_name(parsed), parsed.workdir
    plan = workspace / CHANGE_PLAN
    number = push_shared(
        workspace / PATHS["splits"],
        name,
        settings_of(parsed).tracking_uri,
        change_plan=plan if plan.exists() else None,
    )
    _say(f"Shared as snapshot {number} of the state of {name}.")
    return 0


def _model_name(parsed: argparse.Namespace) -> str:
    require_workspace(parsed.workdir)
    name = str(load_params(parsed.workdir / "params.yaml")["split"]["model_name"])
    if not name:
        raise ConfigError(
            "Expected split.model_name in params.yaml to name the registered model whose test set this is, found it empty: this workspace shares nothing."
        )
    return name


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
