"""What moves a champion's alias, once it is decided and verified, and the entry that says what became of it."""

import logging
from pathlib import Path
from typing import Any

from lesionflow.data.bundle import Bundle
from lesionflow.data.ledger import EntryKind, LedgerEntry
from lesionflow.errors import ArtifactError, ConflictError, ServiceError
from lesionflow.io.stores.ledger import append_entry, read_ledger
from lesionflow.registry.registered_bundles import fetch_bundle
from lesionflow.registry.succession.history import BY_GATE, digest_by_ledger, rollback_target
from lesionflow.registry.succession.told_pages import tell_pages
from lesionflow.registry.versions import (
    CHAMPION,
    PREVIOUS,
    RegisteredVersion,
    delete_alias,
    find_version,
    mark_aliases,
    set_alias,
)

logger = logging.getLogger(__name__)


def move_alias(entry: LedgerEntry, ledger: Path, tracking_uri: str) -> None:
    """Carry out what an entry begins, and write the one that ends it.

    Raises:
        ConflictError: When somebody else moved the alias at the same moment.
        ServiceError: When the store can't be reached or refuses.
    """
    model_name, version = entry.facts["model_name"], entry.facts["version"]
    there = find_version(model_name, CHAMPION, tracking_uri)
    # Verifying the bytes took its time.
    if not is_replaced(entry, there):
        raise _overtaken(entry, there, ledger)
    set_alias(model_name, CHAMPION, version, tracking_uri)
    now = find_version(model_name, CHAMPION, tracking_uri)
    if now is None or now.version != version:
        raise _overtaken(entry, now, ledger)
    close_change(entry, ledger, tracking_uri)


def is_replaced(entry: LedgerEntry, champion: RegisteredVersion | None) -> bool:
    """Tell whether the champion in MLflow is the one that an entry replaces, or the one that it makes.

    What a person decided may replace a champion that was gone from MLflow already.
    """
    if champion is None:
        return entry.facts["before"] is None or entry.facts.get("by") != BY_GATE
    return champion.version in {entry.facts["before"], entry.facts["version"]}


def _overtaken(entry: LedgerEntry, now: RegisteredVersion | None, ledger: Path) -> ConflictError:
    model_name, version = entry.facts["model_name"], entry.facts["version"]
    detail = f"Another program made {spell_version(now.version if now else None)} champion at the same moment."
    undo_change(entry, detail, ledger)
    return ConflictError(
        f"Expected to make version {version} champion of {model_name}, found it changed. {detail} Promote again."
    )


def close_change(entry: LedgerEntry, ledger: Path, tracking_uri: str) -> None:
    """Say that a change was carried out."""
    model_name = entry.facts["model_name"]
    by = EntryKind.ROLLBACK if entry.kind is EntryKind.ROLLBACK else entry.facts.get("by", BY_GATE)
    kept = {key: entry.facts.get(key) for key in ("model_name", "version", "before", "run_id", "bundle_digest")}
    append_entry(ledger, EntryKind.CHAMPION, {**kept, "by": by, "of": entry.sha256})
    tidy_aliases(model_name, ledger, tracking_uri)


def undo_change(entry: LedgerEntry, detail: str, ledger: Path) -> None:
    """Say that a change was not carried out, and why."""
    model_name, version = entry.facts["model_name"], entry.facts["version"]
    logger.warning("version %s of %s did not become champion: %s", version, model_name, detail)
    append_entry(
        ledger,
        EntryKind.UNDONE,
        {"model_name": model_name, "version": version, "of": entry.sha256, "detail": detail},
    )


def tidy_aliases(model_name: str, ledger: Path, tracking_uri: str) -> None:
    """Let `previous` name the version that a rollback would go back to, repeat the aliases at the runs and the ledger on the versions' pages.

    All of it only repeats what the ledger and the alias `champion` say: a store that refuses stops nothing.
    """
    try:
        previous = rollback_target(read_ledger(ledger), model_name)
        there = find_version(model_name, PREVIOUS, tracking_uri)
        if previous is not None and find_version(model_name, previous, tracking_uri) is not None:
            set_alias(model_name, PREVIOUS, previous, tracking_uri)
        elif there is not None:
            delete_alias(model_name, PREVIOUS, tracking_uri)
        mark_aliases(model_name, tracking_uri)
    except ServiceError as error:
        logger.warning("the aliases of %s are not repeated at its runs: %s", model_name, error)
    tell_pages(model_name, ledger, tracking_uri)


def verify_bytes(model_name: str, version: str, ledger: Path, tracking_uri: str) -> None:
    """Fetch a version and hold its bytes against its digest, in MLflow and, where it was told of before, in the ledger."""
    fetch_known(model_name, version, ledger, tracking_uri)


def fetch_known(model_name: str, version: str, ledger: Path, tracking_uri: str) -> Bundle:
    """Fetch a bundle that is also what the ledger knows of it: whoever exchanges files and digest together in MLflow is told of by that.

    Args:
        model_name: The registered model.
        version: Its number.
        ledger: The ledger.
        tracking_uri: The store.

    Raises:
        ArtifactError: When there is no such version, or its bytes are not those that were registered.
        ServiceError: When the store can't be reached.
    """
    bundle = fetch_bundle(model_name, version, tracking_uri)
    known = digest_by_ledger(read_ledger(ledger), model_name, version)
    if known not in {None, bundle.digest}:
        raise ArtifactError(
            f"Expected bundle {known:.12} in {model_name} version {version} by the ledger, found {bundle.digest:.12}: its files and their "
            "digest were exchanged together. Take them back from a copy, or choose another version; where it is the champion, `lesionflow models "
            "rollback --name NAME --reason REASON` goes to the one before it. Or MLFLOW_TRACKING_URI names another store than that of this workspace."
        )
    return bundle


def about_version(version: RegisteredVersion, before: str | None) -> dict[str, Any]:
    """Return what every entry says of a version, and of the champion that it was held against."""
    return {
        "model_name": version.model_name,
        "version": version.version,
        "before": before,
        "run_id": version.run_id,
        "bundle_digest": version.bundle_digest,
    }


def spell_version(version: str | None) -> str:
    """Return a version in words."""
    return "no version" if version is None else f"version {version}"
