"""What was begun is ended: a change of champion that was broken off, aliases that it left behind, a champion that nobody decided here."""

from pathlib import Path

from lesionflow.data.ledger import EntryKind, LedgerEntry
from lesionflow.errors import ArtifactError
from lesionflow.io.stores.ledger import append_entry, read_ledger
from lesionflow.registry.succession.guard import one_change
from lesionflow.registry.succession.history import (
    FOUND,
    bars,
    champion_by_ledger,
    describe_bar,
    rollback_target,
    unfinished,
)
from lesionflow.registry.succession.ledger_agreement import describe_moved
from lesionflow.registry.succession.moves import (
    about_version,
    close_change,
    is_replaced,
    move_alias,
    spell_version,
    tidy_aliases,
    undo_change,
    verify_bytes,
)
from lesionflow.registry.versions import CHAMPION, PREVIOUS, RegisteredVersion, find_version, list_versions


def settle(model_name: str, ledger: Path, tracking_uri: str) -> tuple[LedgerEntry, ...]:
    """Complete a change of champion that was broken off, or undo it and say why; note a champion from before there was a ledger.

    Args:
        model_name: The registered model.
        ledger: The ledger.
        tracking_uri: The store.

    Returns:
        The entries that were added: none when nothing was open.

    Raises:
        ArtifactError: When the ledger was altered.
        ServiceError: When the store can't be reached or refuses.
    """
    with one_change(ledger):
        n_before = len(read_ledger(ledger))
        settle_held(model_name, ledger, tracking_uri)
        return read_ledger(ledger)[n_before:]


def current_champion(model_name: str, ledger: Path, tracking_uri: str) -> RegisteredVersion | None:
    """Settle what is open, and return the champion; None only where there never was one.

    Args:
        model_name: The registered model.
        ledger: The ledger.
        tracking_uri: The store.

    Raises:
        ArtifactError: When the ledger knows a champion that MLflow does not have, the alias leads elsewhere or to a version that is barred, or the
            ledger was altered.
        ServiceError: When the store can't be reached or refuses.
    """
    with one_change(ledger):
        return current_champion_held(model_name, ledger, tracking_uri)


def current_champion_held(model_name: str, ledger: Path, tracking_uri: str) -> RegisteredVersion | None:
    """Do as `current_champion` for a caller that holds the lock already."""
    settle_held(model_name, ledger, tracking_uri)
    champion = find_version(model_name, CHAMPION, tracking_uri)
    entries = read_ledger(ledger)
    known = champion_by_ledger(entries, model_name)
    if champion is None and known is not None:
        raise _lost(model_name, known, tracking_uri)
    if champion is not None and known is not None and champion.version != known:
        raise ArtifactError(
            f"{describe_moved(model_name, known, champion.version)}. Nobody was judged or made champion."
        )
    if champion is not None and known is None:
        barred = bars(entries, model_name)[champion.version]
        raise ArtifactError(
            f"Expected a champion of {model_name} that may be it, found in MLflow {describe_bar(champion.version, barred)}"
        )
    return champion


def settle_held(model_name: str, ledger: Path, tracking_uri: str) -> None:
    """Do as `settle` for a caller that holds the lock already."""
    entries = read_ledger(ledger)
    open_entry = unfinished(entries, model_name)
    if open_entry is not None:
        _end(open_entry, find_version(model_name, CHAMPION, tracking_uri), ledger, tracking_uri)
    _adopt(model_name, ledger, tracking_uri)
    entries, versions = read_ledger(ledger), list_versions(model_name, tracking_uri)
    target, numbers = rollback_target(entries, model_name), {version.version for version in versions}
    there = next((version.version for version in versions if PREVIOUS in version.aliases), None)
    if champion_by_ledger(entries, model_name) is not None and there != (target if target in numbers else None):
        # Killed after the last entry of a change.
        tidy_aliases(model_name, ledger, tracking_uri)


def _adopt(model_name: str, ledger: Path, tracking_uri: str) -> None:
    """Note the champion that was there before the ledger knew of any. Where it knows of one, an alias that leads elsewhere is for a person to settle."""
    champion = find_version(model_name, CHAMPION, tracking_uri)
    entries = read_ledger(ledger)
    known, barred = champion_by_ledger(entries, model_name), bars(entries, model_name)
    if champion is None or known is not None or champion.version in barred:
        return
    former = find_version(model_name, PREVIOUS, tracking_uri)
    if former is not None:
        # A rollback may go back to it, as it could then.
        detail = "It was `previous` in MLflow before there was a ledger."
        append_entry(ledger, EntryKind.CHAMPION, {**about_version(former, None), "by": FOUND, "detail": detail})
        known = former.version
    detail = "It was champion in MLflow, by no decision of this ledger."
    append_entry(ledger, EntryKind.CHAMPION, {**about_version(champion, known), "by": FOUND, "detail": detail})


def _end(entry: LedgerEntry, champion: RegisteredVersion | None, ledger: Path, tracking_uri: str) -> None:
    """Complete what an entry began, or undo it."""
    model_name, version, before = (entry.facts[key] for key in ("model_name", "version", "before"))
    now = champion.version if champion else None
    barred = bars(read_ledger(ledger), model_name).get(version)
    if now == version:
        close_change(entry, ledger, tracking_uri)
    elif barred is not None:
        undo_change(entry, f"It was barred meanwhile, by entry {barred.sequence}.", ledger)
    elif not is_replaced(entry, champion):
        undo_change(
            entry,
            f"The champion is {spell_version(now)} by now, not {spell_version(before)}, against which it was decided.",
            ledger,
        )
    else:
        try:
            verify_bytes(model_name, version, ledger, tracking_uri)
        except ArtifactError as error:
            undo_change(entry, str(error), ledger)
        else:
            move_alias(entry, ledger, tracking_uri)


def _lost(model_name: str, known: str, tracking_uri: str) -> ArtifactError:
    there = find_version(model_name, known, tracking_uri)
    what = "that it was deleted there" if there is None else "the version there without the alias `champion`"
    back = "" if there is None else f"`lesionflow models promote {known} --name NAME --reason REASON` puts it back; "
    return ArtifactError(
        f"Expected version {known} of {model_name}, the champion by the ledger, to be champion in MLflow, found {what}. Nothing "
        f"is called the first champion instead. {back}`lesionflow models rollback --name NAME --reason REASON` goes to the "
        "champion before it, `lesionflow models promote VERSION --name NAME --reason REASON` to another; or MLFLOW_TRACKING_URI names another store than was meant."
    )
