"""`lesionflow retrain`: make challengers of what is new and let the gate judge them."""

import argparse
from pathlib import Path
from typing import Any

from lesionflow.cli.chosen_store import settings_of
from lesionflow.cli.parser import wording_of
from lesionflow.cli.workspace_commands import FAILED, say
from lesionflow.config.challenger import InitialWeights, Trigger


def add_commands(commands: Any) -> None:
    """Add `retrain`."""
    command = commands.add_parser("retrain", help="new data or params: train challengers, score and judge them")
    command.add_argument("--workdir", type=Path, default=Path(), help="the workspace")
    words = "why: stands at the run, the version and in the ledger; without, what challenger.yaml says"
    command.add_argument("--because", type=Trigger, choices=list(Trigger), help=words)
    words = "where challengers begin; `both` makes two; without, what challenger.yaml or the params say"
    command.add_argument(
        "--from", dest="initial_weights", type=InitialWeights, choices=list(InitialWeights), help=words
    )
    command.set_defaults(run=_retrain)


def _retrain(parsed: argparse.Namespace) -> int:
    import sys

    from lesionflow.workspace.retraining.command import retrain
    from lesionflow.workspace.run import run_workspace

    code = retrain(
        parsed.workdir,
        because=parsed.because,
        initial_weights=parsed.initial_weights,
        settings=settings_of(parsed),
        say=lambda text: say(wording_of(parsed)(text)),
        run=run_workspace,
        prepare=_prepare,
    )
    if code:
        sys.stderr.write(FAILED)
    return code


def _prepare(*arguments: Any) -> Any:
    # What it needs takes seconds to load, and where nothing is new none of it is needed.
    from lesionflow.workspace.retraining.preparation import prepare

    return prepare(*arguments)
