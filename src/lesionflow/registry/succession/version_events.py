"""What became of one version, by the ledger: judged, made champion, replaced, rolled back, barred, lifted."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lesionflow.data.ledger import EntryKind, LedgerEntry
from lesionflow.registry.succession.history import (
    BY_HAND,
    FOUND,
    LEARNED_WITHDRAWN,
    bars,
    learned_versions,
    reason_of,
)

#: What the gate decided: a version's page has it in full already.
BY_GATES_DECISION = frozenset({"became champion", "refused"})


class VersionEvent(NamedTuple):
    """One thing that happened to a version: when, what kind of thing in a word or two, in a sentence, by whom and why where a person decided."""

    at: str
    kind: str
    what: str
    name: str = ""
    reason: str = ""

    def line(self) -> str:
        """Return all of it on a line."""
        who = ": ".join(part for part in (self.name, self.reason) if part)
        return f"{self.at:.16} UTC: {self.what}{f' ({who})' if who else ''}"


def version_events(entries: Sequence[LedgerEntry], model_name: str, version: str) -> tuple[VersionEvent, ...]:
    """Say what became of a version, the first thing first.

    Args:
        entries: The ledger.
        model_name: The registered model.
        version: Its number.
    """
    begun = {entry.sha256: entry for entry in entries}
    undone = {entry.facts.get("of") for entry in entries if entry.kind is EntryKind.UNDONE}
    withdrawn: set[str] = set()
    said: list[VersionEvent] = []
    for number, entry in enumerate(entries):
        if entry.kind is EntryKind.WITHDRAWAL:
            said += _withdrawal(entry, version in learned_versions(entry, model_name), withdrawn)
        elif entry.facts.get("model_name") == model_name and entry.sha256 not in undone:
            told = begun.get(str(entry.facts.get("of")))
            said += _lifted(entries[:number], entry, version) if entry.kind is EntryKind.LIFTED else ()
            said += _event(entry, {} if told is None else told.facts, version)
    return tuple(said)


def _event(entry: LedgerEntry, began: Mapping[str, object], version: str) -> Iterator[VersionEvent]:
    facts, name = entry.facts, str(entry.facts.get("name") or "")
    is_it, was_it = facts.get("version") == version, facts.get("before") == version
    if entry.kind is EntryKind.CHAMPION and is_it:
        yield _champion(entry, began)
    elif entry.kind is EntryKind.CHAMPION and was_it and facts.get("by") != EntryKind.ROLLBACK:
        yield VersionEvent(entry.at, "replaced", f"replaced as champion by version {facts['version']}")
    elif entry.kind is EntryKind.ROLLBACK and was_it:
        what = f"rolled back to version {facts['version']}, and barred"
        yield VersionEvent(entry.at, "rolled back", what, name, reason_of(facts))
    elif entry.kind is EntryKind.DECISION and is_it and facts.get("promote") is False:
        yield VersionEvent(entry.at, "refused", f"judged and not made champion: {facts.get('verdict') or 'refused'}")
    elif entry.kind is EntryKind.BARRED and is_it:
        yield VersionEvent(entry.at, "barred", "barred", name, reason_of(facts))
    elif entry.kind is EntryKind.UNDONE and is_it:
        yield VersionEvent(entry.at, "undone", "was to become champion and did not", reason=reason_of(facts))


def _champion(entry: LedgerEntry, began: Mapping[str, object]) -> VersionEvent:
    by, before = entry.facts.get("by"), entry.facts.get("before")
    instead = f", in place of version {before}" if before else ""
    name, reason = str(began.get("name") or ""), str(began.get("reason") or "")
    if by == BY_HAND:
        return VersionEvent(
            entry.at, "promoted by hand", f"made champion by hand, past the gate{instead}", name, reason
        )
    if by == EntryKind.ROLLBACK:
        what = f"champion again, by a rollback{f' from version {before}' if before else ''}"
        return VersionEvent(entry.at, "champion again", what, name, reason)
    if by == FOUND:
        return VersionEvent(
            entry.at, "found", "found to be champion in MLflow", reason=str(entry.facts.get("detail") or "")
        )
    return VersionEvent(entry.at, "became champion", f"made champion by the gate{instead}")


def _lifted(before: Sequence[LedgerEntry], entry: LedgerEntry, version: str) -> Iterator[VersionEvent]:
    if entry.facts.get("version") != version:
        return
    bar = bars(before, str(entry.facts.get("model_name"))).get(version)
    since = f" of {bar.at:.10} ({bar.kind}: {reason_of(bar.facts) or 'no reason was told'})" if bar else ""
    what = f"may become champion again: the bar{since} was lifted"
    yield VersionEvent(entry.at, "lifted", what, str(entry.facts.get("name") or ""), reason_of(entry.facts))


def _withdrawal(entry: LedgerEntry, learned: bool, withdrawn: set[str]) -> Iterator[VersionEvent]:  # noqa: FBT001 - what the entry says
    """Tell of a patient once: an entry of the same patient is written anew by each call."""
    patient = str(entry.facts.get("patient"))
    if learned and patient not in withdrawn:
        withdrawn.add(patient)
        yield VersionEvent(entry.at, "withdrawal", "barred", reason=LEARNED_WITHDRAWN)
    elif not learned and patient in withdrawn and entry.facts.get("readmitted"):
        withdrawn.discard(patient)
        yield VersionEvent(entry.at, "readmitted", "not barred by that any longer: the patient was taken in again")
