"""`models promote`, `rollback` and `lift`: what a person decides, kept by name and with a reason."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lesionflow.cli.chosen_store import ledger_of, model_name, settings_of
from lesionflow.cli.parser import wording_of
from lesionflow.io.stores.ledger import ledger_path
from lesionflow.workspace.layout import PATHS


def promote_version(parsed: argparse.Namespace) -> int:
    """Make a version champion past the gate."""
    from lesionflow.registry.succession import promote_by_hand

    settings = settings_of(parsed)
    name = model_name(parsed.model_name, settings)
    with shared_ledger(parsed, settings.tracking_uri) as (ledger, share):
        change = promote_by_hand(
            name,
            parsed.version,
            name=parsed.name,
            reason=parsed.reason,
            ledger=ledger,
            tracking_uri=settings.tracking_uri,
            may_override=overriders(parsed.workdir),
            share=share,
        )
    if change.before == change.after:
        sys.stdout.write(f"{name}: version {change.after} is the champion already. No alias was moved.\n")
    else:
        sys.stdout.write(
            f"{name}: champion was {change.before or 'none'}, is {change.after}. No gate was asked: {ledger.name} says that "
            f"{parsed.name} decided it, and why. {_commit(parsed)}\n"
        )
    return 0


def roll_back_champion(parsed: argparse.Namespace) -> int:
    """Go back to the champion before this one."""
    from lesionflow.registry.succession import roll_back

    settings = settings_of(parsed)
    name = model_name(parsed.model_name, settings)
    with shared_ledger(parsed, settings.tracking_uri) as (ledger, share):
        uri = settings.tracking_uri
        change = roll_back(
            name,
            ledger,
            uri,
            to=parsed.to,
            leaving=parsed.leaving,
            name=parsed.name,
            reason=parsed.reason,
            share=share,
        )
    told = (
        f"{name}: champion was {change.before or 'none'}, is {change.after}. Version {change.before} stays barred until "
        f"`lesionflow models lift {change.before} --name NAME --reason REASON`. The same command given again changes nothing; `--from {change.after}` "
        f"goes one champion further back. {_commit(parsed)}\n"
    )
    sys.stdout.write(wording_of(parsed)(told))
    return 0


def lift_bar(parsed: argparse.Namespace) -> int:
    """Let a barred version become champion again."""
    from lesionflow.registry.succession import lift

    settings = settings_of(parsed)
    name = model_name(parsed.model_name, settings)
    with shared_ledger(parsed, settings.tracking_uri) as (ledger, _):
        may_override = overriders(parsed.workdir)
        lift(
            name,
            parsed.version,
            name=parsed.name,
            reason=parsed.reason,
            ledger=ledger,
            tracking_uri=settings.tracking_uri,
            may_override=may_override,
        )
    sys.stdout.write(
        f"{name}: version {parsed.version} may become champion again. {parsed.name} decided it. {_commit(parsed)}\n"
    )
    return 0


def _commit(parsed: argparse.Namespace) -> str:
    """Say that the ledger of the workspace that is meant is to be kept."""
    return f"Commit {ledger_path((parsed.workdir or Path()) / PATHS['splits'])}: the record of it."


@contextmanager
def shared_ledger(parsed: argparse.Namespace, tracking_uri: str) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Bring the workspace's ledger up to date with what others who share the model noted, and share what is added.

    Yields:
        The ledger, and what shares it in between.
    """
    from lesionflow.steps.shared_state import share_ledger

    ledger, splits = ledger_of(parsed), (parsed.workdir or Path()) / PATHS["splits"]

    def share() -> None:
        if splits.exists():
            share_ledger(splits, tracking_uri)

    share()
    yield ledger, share
    share()


def overriders(workdir: Path | None) -> tuple[str, ...]:
    """Return who may decide past the gate, by the workspace's change plan; empty lets everybody."""
    path = (workdir or Path()) / "change_plan.yaml"
    if not path.exists():
        return ()
    from lesionflow.config.change_plan import read_change_plan

    return tuple(read_change_plan(path).may_override)
