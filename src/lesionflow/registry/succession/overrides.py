"""What a person decides past the gate, by name and with a reason: another champion, a bar that is lifted."""

from collections.abc import Sequence
from pathlib import Path

from lesionflow.data.ledger import EntryKind, LedgerEntry
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.ledger import append_entry, read_ledger
from lesionflow.registry.succession.guard import one_change
from lesionflow.registry.succession.history import BY_HAND, FOUND, bars, champion_by_ledger, history
from lesionflow.registry.succession.settling import settle_held
from lesionflow.registry.succession.told_pages import tell_pages
from lesionflow.registry.succession.transactions import Share, begin_change, keep_here
from lesionflow.registry.versions import CHAMPION, ChampionChange, find_version, require_version


def promote_by_hand(
    model_name: str,
    version: str,
    *,
    name: str,
    reason: str,
    ledger: Path,
    tracking_uri: str,
    may_override: Sequence[str] = (),
    share: Share = keep_here,
) -> ChampionChange:
    """Make a version champion past the gate, and keep who did so and why.

    Args:
        model_name: The registered model.
        version: Its number or an alias.
        name: Who decides.
        reason: Why.
        ledger: The ledger.
        tracking_uri: The store.
        may_override: Who may, by the change plan; empty lets everybody.
        share: As `carry_out` takes it.

    Raises:
        ConfigError: When name or reason is missing, or the change plan does not list the name.
        ArtifactError: When there is no such version, it is barred, or its bytes are not those that were registered.
        ConflictError: When somebody else moved the alias at the same moment.
        ServiceError: When the store can't be reached or refuses.
    """
    require_person(name, reason, may_override)
    with one_change(ledger):
        settle_held(model_name, ledger, tracking_uri)
        found = require_version(model_name, version, tracking_uri)
        now = find_version(model_name, CHAMPION, tracking_uri)
        known = champion_by_ledger(read_ledger(ledger), model_name)
        # Whoever was champion and is gone from MLflow, or lost the alias past the ledger, stands in the entry all the same.
        before = known if now is None or now.version == found.version else now.version
        # One that was made champion elsewhere is made so by this name now.
        if now is not None and now.version == found.version == known and not _is_only_found(ledger, model_name):
            return ChampionChange(before, before)
        facts = {"promote": True, "by": BY_HAND, "name": name.strip(), "reason": reason.strip()}
        return begin_change(EntryKind.DECISION, model_name, found.version, before, facts, ledger, tracking_uri, share)


def _is_only_found(ledger: Path, model_name: str) -> bool:
    reigns = history(read_ledger(ledger), model_name)
    return bool(reigns) and reigns[-1].by == FOUND


def lift(
    model_name: str,
    version: str,
    *,
    name: str,
    reason: str,
    ledger: Path,
    tracking_uri: str,
    may_override: Sequence[str] = (),
) -> LedgerEntry:
    """Let a version become champion again that was rolled back or barred, and keep who said so and why.

    Args:
        model_name: The registered model.
        version: Its number.
        name: Who decides.
        reason: Why.
        ledger: The ledger.
        tracking_uri: The store, on whose page of the version it is told.
        may_override: Who may, by the change plan; empty lets everybody.

    Raises:
        ConfigError: When name or reason is missing, or the change plan does not list the name.
        ArtifactError: When the version is not barred.
    """
    require_person(name, reason, may_override)
    with one_change(ledger):
        barred = bars(read_ledger(ledger), model_name)
        if version not in barred:
            found = ", ".join(barred) or "none"
            raise ArtifactError(
                f"Expected a version of {model_name} that is barred, found {version}; barred are: {found}."
            )
        facts = {"model_name": model_name, "version": version, "name": name.strip(), "reason": reason.strip()}
        entry = append_entry(ledger, EntryKind.LIFTED, facts)
        tell_pages(model_name, ledger, tracking_uri)
        return entry


def require_person(name: str, reason: str, may_override: Sequence[str]) -> None:
    """Refuse a decision by nobody, for nothing, or by somebody whom the change plan does not list.

    Raises:
        ConfigError: When it is one.
    """
    for what, value in (("--name", name), ("--reason", reason)):
        if not value.strip():
            raise ConfigError(
                f"Expected {what} to say who decides and why, found nothing: it stands in the ledger for good."
            )
    if may_override and name.strip() not in may_override:
        raise ConfigError(
            f"Expected --name to be one of those whom the change plan lets override the gate ({', '.join(may_override)}), found "
            f"{name.strip()!r:.80}. Ask one of them, or change `may_override` in change_plan.yaml."
        )
