"""`lesionflow data withdraw`: a patient leaves, or comes back."""

import argparse
import sys
from pathlib import Path
from typing import Any

from lesionflow.cli.parser import wording_of
from lesionflow.workspace.layout import require_workspace


def add_withdraw_action(actions: Any) -> tuple[Any, ...]:
    """Add `withdraw` to the actions of `lesionflow data`; return its parser."""
    withdraw = actions.add_parser(
        "withdraw", help="remove every byte of a patient, and say what can't go and which models learned from it"
    )
    withdraw.add_argument("patient", help="the pseudonym (p-...), or the ID that the studies came with")
    words = "take a withdrawal back: studies of the patient that are added again are read again"
    withdraw.add_argument("--readmit", action="store_true", help=words)
    words = "what the pipeline on a cluster goes on from, a folder or an address: the patient leaves it too; no run may be under way"
    withdraw.add_argument("--project-store", default="", help=words)
    withdraw.set_defaults(run=_withdraw)
    return (withdraw,)


def _withdraw(parsed: argparse.Namespace) -> int:
    from lesionflow.cli.chosen_store import settings_of
    from lesionflow.workspace.withdrawal.report import report_path
    from lesionflow.workspace.withdrawal.withdrawing import readmit, withdraw

    workspace: Path = parsed.workdir
    require_workspace(workspace)
    settings = settings_of(parsed)
    if parsed.readmit:
        was = readmit(workspace, parsed.patient, settings)
        _say("The patient may be added again; what was removed does not come back." if was else "Nobody was withdrawn.")
        return 0
    done = withdraw(
        workspace, parsed.patient, settings.tracking_uri, settings, _say, project_store=parsed.project_store
    )
    _say(f"{done.n_cases} studies withdrawn.")
    for place, count in done.removed.items():
        _say(f"  {count} {place}")
    for line in done.kept:
        _say(f"stays: {line}")
    for line in done.obligations:
        _say(wording_of(parsed)(f"model: {line}"))
    last = f"Written to {report_path(workspace, done.mark)}. `lesionflow run` makes anew what needs no such patient."
    _say(wording_of(parsed)(last))
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
