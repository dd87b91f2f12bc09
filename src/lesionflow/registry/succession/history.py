"""What the ledger says of a model's champions: who it was and is, why, who is barred, what was begun and not ended."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lesionflow.data.ledger import EntryKind, LedgerEntry

#: Entries that say what became of the change that one before them began, `of` its digest.
ENDS = (EntryKind.CHAMPION, EntryKind.UNDONE)
#: Who made a champion, beside a rollback.
BY_GATE, BY_HAND, FOUND = "gate", "hand", "found"
#: Why a withdrawal bars a version.
LEARNED_WITHDRAWN = "it learned from a patient who was withdrawn since"


class Reign(NamedTuple):
    """How long a version was champion, and why. `until` is empty for the present one; `name` for what the gate decided."""

    version: str
    since: str
    until: str
    by: str
    name: str
    reason: str


def champion_by_ledger(entries: Sequence[LedgerEntry], model_name: str) -> str | None:
    """Return the version that is champion by the ledger; None when it knows of none."""
    return next((str(entry.facts["version"]) for entry in reversed(_changes(entries, model_name))), None)


def line_of_champions(entries: Sequence[LedgerEntry], model_name: str) -> tuple[str, ...]:
    """Return the champions that one another replaced, the present one last; who was rolled back stands in it no longer.

    So a rollback from 3 to 2 is followed by one to 1, and never leads back to 3.
    """
    line: list[str] = []
    for entry in _changes(entries, model_name):
        version = str(entry.facts["version"])
        if entry.facts.get("by") == EntryKind.ROLLBACK and version in line:
            del line[len(line) - line[::-1].index(version) :]
        else:
            line.append(version)
    return tuple(line)


def bars(entries: Sequence[LedgerEntry], model_name: str) -> Mapping[str, LedgerEntry]:
    """Return the versions that may not become champion, each with the entry that bars it.

    A rollback bars the version that it leaves, a withdrawal those that learned from the patient; each from when it is begun until
    somebody lifts that, or the patient is taken in again.
    """
    barred: dict[str, LedgerEntry] = {}
    withdrawn: dict[str, dict[str, LedgerEntry]] = {}
    named: dict[str, tuple[str, ...]] = {}
    undone = {entry.facts.get("of") for entry in entries if entry.kind is EntryKind.UNDONE}
    for entry in entries:
        if entry.kind is EntryKind.WITHDRAWAL:
            # A patient's entry replaces the one before it, and names its versions again: what somebody lifted since stays lifted.
            patient, learned = str(entry.facts.get("patient")), learned_versions(entry, model_name)
            lifted = {*named.get(patient, ())} - {*withdrawn.get(patient, ())}
            withdrawn[patient] = dict.fromkeys((one for one in learned if one not in lifted), entry)
            named[patient] = learned
        elif entry.facts.get("model_name") != model_name:
            continue
        elif entry.kind is EntryKind.BARRED:
            barred[str(entry.facts["version"])] = entry
        elif entry.kind is EntryKind.ROLLBACK and entry.sha256 not in undone and entry.facts.get("before"):
            barred[str(entry.facts["before"])] = entry
        elif entry.kind is EntryKind.LIFTED:
            for one in (barred, *withdrawn.values()):
                one.pop(str(entry.facts["version"]), None)
    return {version: entry for one in withdrawn.values() for version, entry in one.items()} | barred


def learned_from_withdrawn(entries: Sequence[LedgerEntry], model_name: str) -> frozenset[str]:
    """Return the versions that learned from a patient who was withdrawn, and not taken in again since; whether somebody lifted that or not."""
    learned: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        if entry.kind is EntryKind.WITHDRAWAL:
            learned[str(entry.facts.get("patient"))] = learned_versions(entry, model_name)
    return frozenset(version for versions in learned.values() for version in versions)


def learned_versions(entry: LedgerEntry, model_name: str) -> tuple[str, ...]:
    """Return the versions that a withdrawal names, each as `NAME version NUMBER: how`; none once the patient is taken in again."""
    told = () if entry.facts.get("readmitted") else tuple(map(str, entry.facts.get("learned") or ()))
    begin = f"{model_name} version "
    return tuple(one.removeprefix(begin).partition(":")[0] for one in told if one.startswith(begin))


def describe_bar(version: str, entry: LedgerEntry) -> str:
    """Say since when and why a version may not become champion, and what lifts that, as the rest of a sentence."""
    reason = reason_of(entry.facts) or "no reason was told"
    return (
        f"version {version}, barred on {entry.at:.10} ({entry.kind}: {reason}). `lesionflow models lift {version} --name NAME "
        "--reason REASON` lifts that."
    )


def decision_of(entries: Sequence[LedgerEntry], model_name: str, version: str) -> LedgerEntry | None:
    """Return what was decided last of a version, by the gate or by hand; None when nothing was."""
    decisions = (entry for entry in _of_model(entries, model_name) if entry.kind is EntryKind.DECISION)
    return next((entry for entry in reversed(list(decisions)) if entry.facts.get("version") == version), None)


def unfinished(entries: Sequence[LedgerEntry], model_name: str) -> LedgerEntry | None:
    """Return the change of champion that was begun and neither carried out nor undone; None when there is none."""
    ended = {entry.facts.get("of"): entry.kind for entry in entries if entry.kind in ENDS}
    for entry in reversed(list(_of_model(entries, model_name))):
        begins = entry.kind is EntryKind.ROLLBACK or (entry.kind is EntryKind.DECISION and entry.facts.get("promote"))
        if begins and entry.sha256 not in ended:
            return entry
        # Behind one that was carried out nothing is open; one that was undone may stand behind another workspace's that still is.
        if begins and ended[entry.sha256] is EntryKind.CHAMPION:
            return None
    return None


def history(entries: Sequence[LedgerEntry], model_name: str) -> tuple[Reign, ...]:
    """Say who was champion when and why, the first one first."""
    begun = {entry.sha256: entry for entry in entries}
    changes = _changes(entries, model_name)
    ends = [*(entry.at for entry in changes[1:]), ""][: len(changes)]
    return tuple(
        _reign(entry, begun.get(str(entry.facts.get("of"))), end) for entry, end in zip(changes, ends, strict=True)
    )


def refusals(entries: Sequence[LedgerEntry], model_name: str) -> tuple[LedgerEntry, ...]:
    """Return what did not make a version champion: decisions that refused, and changes that were undone."""
    refused = (entry for entry in _of_model(entries, model_name) if entry.facts.get("promote") is False)
    undone = (entry for entry in _of_model(entries, model_name) if entry.kind is EntryKind.UNDONE)
    return tuple(sorted((*refused, *undone)))


def rollback_target(entries: Sequence[LedgerEntry], model_name: str) -> str | None:
    """Return the version that a rollback goes back to: the last champion before this one that is not barred; None without one."""
    line, barred = line_of_champions(entries, model_name), bars(entries, model_name)
    return next((one for one in reversed(line[:-1]) if one not in barred and one != line[-1]), None)


def rollback_to(entries: Sequence[LedgerEntry], model_name: str, version: str) -> LedgerEntry | None:
    """Return the entry that began the rollback by which a version is champion; None when it is so by another change, or is not."""
    last = next(reversed(_changes(entries, model_name)), None)
    if last is None or last.facts.get("by") != EntryKind.ROLLBACK or str(last.facts["version"]) != version:
        return None
    return next((entry for entry in entries if entry.sha256 == last.facts.get("of")), None)


def digest_by_ledger(entries: Sequence[LedgerEntry], model_name: str, version: str) -> str | None:
    """Return the digest that a version's bundle had when the ledger first told of it; None when it never did."""
    told = (e.facts.get("bundle_digest") for e in _of_model(entries, model_name) if e.facts.get("version") == version)
    return next((str(digest) for digest in told if digest), None)


def reason_of(facts: Mapping[str, Any]) -> str:
    """Return why, in words: the reason that a person told, what undid a change, the gate's sentence, or its verdict and the rules that did not hold."""
    for key in ("reason", "detail", "sentence"):
        if facts.get(key):
            return str(facts[key])
    if facts.get("learned"):
        return LEARNED_WITHDRAWN
    reasons = [one for one in facts.get("reasons") or () if isinstance(one, Mapping)]
    broken = [str(one.get("detail") or one.get("rule")) for one in reasons if not one.get("held")]
    return "; ".join(part for part in (str(facts.get("verdict") or ""), *broken) if part)


def _reign(entry: LedgerEntry, begun: LedgerEntry | None, end: str) -> Reign:
    facts = {} if begun is None else begun.facts
    by, name = str(entry.facts.get("by", "")), str(facts.get("name") or "")
    return Reign(str(entry.facts["version"]), entry.at, end, by, name, reason_of(facts) or reason_of(entry.facts))


def _changes(entries: Sequence[LedgerEntry], model_name: str) -> list[LedgerEntry]:
    return [entry for entry in _of_model(entries, model_name) if entry.kind is EntryKind.CHAMPION]


def _of_model(entries: Sequence[LedgerEntry], model_name: str) -> Iterator[LedgerEntry]:
    return (entry for entry in entries if entry.facts.get("model_name") == model_name)
