"""Back to the champion before this one, by the ledger: verified first, and the one that is left may not come back by itself."""

from collections.abc import Sequence
from pathlib import Path

from lesionflow.data.ledger import EntryKind, LedgerEntry
from lesionflow.errors import ArtifactError, ConflictError
from lesionflow.io.stores.ledger import read_ledger
from lesionflow.registry.succession.guard import one_change
from lesionflow.registry.succession.history import (
    champion_by_ledger,
    line_of_champions,
    reason_of,
    rollback_target,
    rollback_to,
    unfinished,
)
from lesionflow.registry.succession.ledger_agreement import describe_moved
from lesionflow.registry.succession.moves import spell_version
from lesionflow.registry.succession.overrides import require_person
from lesionflow.registry.succession.settling import settle_held
from lesionflow.registry.succession.transactions import Share, begin_change, keep_here
from lesionflow.registry.versions import CHAMPION, ChampionChange, find_version


def roll_back(
    model_name: str,
    ledger: Path,
    tracking_uri: str,
    *,
    to: str | None = None,
    leaving: str | None = None,
    name: str,
    reason: str,
    share: Share = keep_here,
) -> ChampionChange:
    """Make an earlier champion champion again, and bar the one of now until somebody lifts that.

    Rollbacks go back through the champions, one by one: from 3 to 2 to 1, never to 3 again. One that was carried out and is given again goes no
    further: from a champion that a rollback made, who goes on says which one is left, or where to.

    Args:
        model_name: The registered model.
        ledger: The ledger.
        tracking_uri: The store.
        to: An earlier champion's version; without, the last one before this one that is not barred.
        leaving: The champion that is to be left. Without, it is the one of now, unless a rollback made it.
        name: Who decides; anybody may, whomever the change plan lets override the gate.
        reason: Why.
        share: As `carry_out` takes it.

    Returns:
        The champion before and after, also where that rollback was carried out already.

    Raises:
        ConfigError: When name or reason is missing.
        ArtifactError: When there is no earlier champion, it was deleted in MLflow, or its bytes are not those that were registered.
        ConflictError: When another one is champion than is to be left, the alias leads elsewhere than the ledger, a rollback that is not repeated made this one, or somebody else moved the
            alias at the same moment.
        ServiceError: When the store can't be reached or refuses.
    """
    require_person(name, reason, ())
    with one_change(ledger):
        begun = unfinished(read_ledger(ledger), model_name)
        settle_held(model_name, ledger, tracking_uri)
        entries = read_ledger(ledger)
        now = find_version(model_name, CHAMPION, tracking_uri)
        known = champion_by_ledger(entries, model_name)
        if now is not None and known is not None and now.version != known:
            raise ConflictError(
                f"{describe_moved(model_name, known, now.version)}. Which one is to be left can't be told: say so first, then roll back. Nothing was changed."
            )
        if now is not None and (done := rollback_to(entries, model_name, now.version)) is not None:
            # Killed and given again: what was begun is carried out now, and goes no further.
            was_open = begun is not None and begun.sha256 == done.sha256
            if _is_repeated(done, to, leaving, (name, reason), was_open=was_open):
                return ChampionChange(done.facts["before"], now.version)
            if to is None and leaving is None:
                raise _back_already(done, model_name)
        if now is not None and leaving not in {None, now.version}:
            raise ConflictError(
                f"Expected version {leaving} to be the champion of {model_name}, found version {now.version}: `lesionflow models history` says since when "
                "and why. Nothing was changed."
            )
        before = now.version if now else known
        earlier = line_of_champions(entries, model_name)[:-1]
        target = rollback_target(entries, model_name) if to is None else to
        if target is None or target not in earlier or target == before:
            raise ArtifactError(
                f"Expected an earlier champion of {model_name} to go back to, found {', '.join(earlier) or 'none'} before "
                f"{before or 'none'}, barred ones among them. `lesionflow models history` shows all; `lesionflow models promote VERSION "
                "--name NAME --reason REASON` makes any version champion."
            )
        if find_version(model_name, target, tracking_uri) is None:
            older = ", ".join(one for one in earlier if one != target) or "none"
            raise ArtifactError(
                f"Expected version {target} of {model_name}, the champion before this one, in MLflow, found that it was deleted. Older "
                f"champions: {older}; name one with --to VERSION."
            )
        facts = {"name": name.strip(), "reason": reason.strip()}
        return begin_change(EntryKind.ROLLBACK, model_name, target, before, facts, ledger, tracking_uri, share)


def _is_repeated(done: LedgerEntry, to: str | None, leaving: str | None, who: Sequence[str], *, was_open: bool) -> bool:
    """Tell whether a rollback asks for what was carried out last: the same words, the same way, or what was found unended."""
    facts = done.facts
    if to not in {None, facts["version"]} or leaving not in {None, facts["before"]}:
        return False
    same_words = [part.strip() for part in who] == [facts.get("name") or "", facts.get("reason") or ""]
    return was_open or to is not None or leaving is not None or same_words


def _back_already(done: LedgerEntry, model_name: str) -> ConflictError:
    version, who = done.facts["version"], done.facts.get("name") or "nobody named"
    return ConflictError(
        f"Expected a rollback of {model_name} that nobody made yet, found it made already: on {done.at:.16} UTC from version "
        f"{done.facts['before']} to {spell_version(version)} ({who}: {reason_of(done.facts) or 'no reason was told'}). Nothing was changed now. To leave "
        f"version {version} too: `lesionflow models rollback --from {version} --name NAME --reason REASON`."
    )
