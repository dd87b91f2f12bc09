"""Changes of champion that last: an entry of the ledger first, then the alias, then the entry that says so.

Killed or refused in between, the next call finds the first entry without its end, and completes the change or undoes it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lesionflow.data.ledger import EntryKind, LedgerEntry
from lesionflow.errors import ArtifactError, ConflictError, ServiceError
from lesionflow.io.stores.ledger import append_entry, read_ledger
from lesionflow.registry.succession.guard import one_change
from lesionflow.registry.succession.history import BY_GATE, bars, describe_bar, unfinished
from lesionflow.registry.succession.moves import (
    about_version,
    move_alias,
    spell_version,
    undo_change,
    verify_bytes,
)
from lesionflow.registry.succession.settling import current_champion_held
from lesionflow.registry.versions import ChampionChange, require_version

#: Shares a ledger with those of other workspaces, or undoes what was begun here too late.
Share = Callable[[], object]


def keep_here() -> None:
    """Share nothing: the ledger is the only one."""


def carry_out(
    model_name: str,
    challenger_version: str,
    champion_seen: str | None,
    decision_facts: Mapping[str, Any],
    ledger: Path,
    tracking_uri: str,
    share: Share = keep_here,
) -> ChampionChange:
    """Write the gate's decision into the ledger and, where it says `promote`, make the challenger champion.

    Args:
        model_name: The registered model.
        challenger_version: The version that was judged.
        champion_seen: The version that it was compared with; None for the first.
        decision_facts: What was decided and why. `promote` says whether the champion changes; without it, it does.
        ledger: The ledger, from `ledger_path`.
        tracking_uri: The store.
        share: Shares the ledger with whoever else promotes by other ledgers in this store, before the alias moves.

    Returns:
        The champion before and after: the same where the decision refuses.

    Raises:
        ConflictError: When the champion is no longer the one seen: judge against the new one, and call again.
        ArtifactError: When the version is barred, its bytes are not those that were registered, the champion of the ledger
            is gone from MLflow, or the ledger was altered.
        ServiceError: When the store can't be reached or refuses. What is in the ledger then is carried out by the next call.
    """
    promote = bool(decision_facts.get("promote", True))
    facts = {**decision_facts, "promote": promote, "by": BY_GATE}
    with one_change(ledger):
        champion = current_champion_held(model_name, ledger, tracking_uri)
        before = champion.version if champion else None
        if before == challenger_version:
            return ChampionChange(before, before)
        if before != champion_seen:
            raise ConflictError(
                f"Expected {spell_version(champion_seen)} to be the champion of {model_name} still, found {spell_version(before)}: it changed "
                f"while version {challenger_version} was judged. Promote again: it is compared with the champion of now."
            )
        if not promote:
            version = require_version(model_name, challenger_version, tracking_uri)
            append_entry(ledger, EntryKind.DECISION, {**facts, **about_version(version, before)})
            return ChampionChange(before, before)
        return begin_change(
            EntryKind.DECISION, model_name, challenger_version, before, facts, ledger, tracking_uri, share
        )


def begin_change(
    kind: EntryKind,
    model_name: str,
    version: str,
    before: str | None,
    facts: Mapping[str, Any],
    ledger: Path,
    tracking_uri: str,
    share: Share = keep_here,
) -> ChampionChange:
    """Verify a version's bytes, write the entry that begins the change, share it, and carry it out. The caller holds the lock.

    Args:
        kind: `decision` or `rollback`.
        model_name: The registered model.
        version: The champion to be.
        before: The champion of now.
        facts: What the entry says beside which version replaces which.
        ledger: The ledger.
        tracking_uri: The store.
        share: As `carry_out` takes it. It undoes the entry where another ledger's change was shared first.

    Raises:
        ArtifactError: When the version is barred or its bytes are not those that were registered.
        ConflictError: When somebody else moved the alias at the same moment.
        ServiceError: When the store can't be reached or refuses.
    """
    found = require_version(model_name, version, tracking_uri)
    _refuse_barred(ledger, model_name, found.version)
    verify_bytes(model_name, found.version, ledger, tracking_uri)
    entry = append_entry(ledger, kind, {**facts, **about_version(found, before)})
    entry = _shared(entry, ledger, share)
    try:
        move_alias(entry, ledger, tracking_uri)
    except ConflictError:
        raise
    except ServiceError as error:
        raise ServiceError(
            f"{error} The decision stands in the ledger as entry {entry.sequence}: the next `lesionflow promote` or `models` "
            "command that changes the champion carries it out, or says why not."
        ) from error
    return ChampionChange(before, found.version)


def _shared(entry: LedgerEntry, ledger: Path, share: Share) -> LedgerEntry:
    """Share an entry that begins a change; return it as it stands behind what others had noted meanwhile."""
    model_name, version = entry.facts["model_name"], entry.facts["version"]
    try:
        share()
    except (ArtifactError, ServiceError) as error:
        undo_change(entry, f"It could not be shared: {error}", ledger)
        raise
    now = unfinished(read_ledger(ledger), model_name)
    if now is None or (now.kind, now.facts["version"], now.facts["before"]) != (
        entry.kind,
        version,
        entry.facts["before"],
    ):
        raise ConflictError(
            f"Expected to make version {version} champion of {model_name}, found that another workspace changed the champion at the same moment. "
            "Promote again: it is compared with the champion of now."
        )
    return now


def _refuse_barred(ledger: Path, model_name: str, version: str) -> None:
    barred = bars(read_ledger(ledger), model_name).get(version)
    if barred is not None:
        raise ArtifactError(
            f"Expected a version of {model_name} that may become champion, found {describe_bar(version, barred)}"
        )
