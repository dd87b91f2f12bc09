"""What the ledger says of looks at a test set: how many there were, what they have spent of alpha, and whether a change plan came after one."""

from collections.abc import Collection, Iterator, Sequence

from lesionflow.data.ledger import EntryKind, LedgerEntry

#: A look at another test set counts when so much of the present one was in it.
LEAST_SHARED_FRACTION = 0.5


def looks_spent(
    entries: Sequence[LedgerEntry],
    test_set_sha256: str,
    *,
    challenger: str = "",
    test_patients: Collection[str] = (),
) -> int:
    """Count the looks at a test set since there is a champion to compare models with.

    A look is a bundle that `evaluate` read the set for, however often, and each decision by which a bundle was judged by it against a champion: judged
    twice, it had two. What was read of the champion to compare it is none, nor are the models before the first champion, which claimed nothing against
    anybody: each of them is a look once it is judged. A champion that was found rather than decided here forgives none: who came before it is not known.

    Args:
        entries: The ledger.
        test_set_sha256: Which set.
        challenger: The digest of the bundle that is judged now: its own reads are the look to come, decisions on it are not.
        test_patients: Who is in the set, by pseudonym: a look at another set counts too when at least half of them were in
            it, so that one more patient does not buy all looks anew.
    """
    seen: set[str] = set()
    champions: set[str] = set()
    judged = _judged(entries, test_set_sha256, test_patients)
    looked = {entry.sha256 for entry in _reads(entries, test_set_sha256, test_patients)}
    for entry in entries:
        digest = _digest(entry)
        if entry.kind is EntryKind.CHAMPION and not champions:
            champions.add(digest)
            seen = seen - champions if entry.facts.get("by") == "found" else set()
        elif entry.sha256 in looked and entry.facts.get("step") != "promote":
            seen.add(digest)
    undone = _undone(entries)
    stands = [_digest(entry) for entry in judged if entry.sha256 not in undone]
    # One that was undone told its figures all the same; the same bundle judged anew, as the champion was another by then, goes on from it.
    seen |= {_digest(entry) for entry in judged} - {challenger}
    once = {digest for digest in seen - champions - {challenger} if digest not in stands}
    return len(once) + sum(digest not in champions for digest in stands)


def alpha_spent(
    entries: Sequence[LedgerEntry],
    test_set_sha256: str,
    *,
    challenger: str = "",
    test_patients: Collection[str] = (),
) -> float:
    """Add up what decisions on a test set could be wrong by, whatever change plan each was taken by: no later plan gives it back.

    Args:
        entries: The ledger.
        test_set_sha256: Which set.
        challenger: As `looks_spent` takes it.
        test_patients: As `looks_spent` takes them.
    """
    undone = _undone(entries)
    stands: list[float] = []
    spare: dict[str, float] = {}
    judged = _judged(entries, test_set_sha256, test_patients)
    again = {_digest(entry) for entry in judged if entry.sha256 not in undone} | {challenger}
    for entry in judged:
        alpha, digest = float(entry.facts.get("alpha") or 0.0), _digest(entry)
        if entry.sha256 not in undone:
            stands.append(alpha)
        elif digest not in again:
            spare[digest] = max(alpha, spare.get(digest, 0.0))
    return sum((*stands, *spare.values()))


def seen_before_plan(
    entries: Sequence[LedgerEntry],
    challenger: str,
    change_plan_sha256: str,
    test_set_sha256: str,
    *,
    test_patients: Collection[str] = (),
) -> LedgerEntry | None:
    """Return the entry by which a bundle's figures on a test set were known before there was a change plan; None where the plan was first.

    A plan is there from the first entry that names it: a read by `evaluate` names the one that lay in the workspace, a decision the one that it was
    taken by. A read that names none, as those of older ledgers, tells nothing of plans.

    Args:
        entries: The ledger.
        challenger: The bundle's digest.
        change_plan_sha256: Of the plan that is to judge it.
        test_set_sha256: Which set.
        test_patients: As `looks_spent` takes them.
    """
    told = {entry.sha256 for entry in _reads(entries, test_set_sha256, test_patients) if _names_plan(entry)}
    told |= {entry.sha256 for entry in _judged(entries, test_set_sha256, test_patients, first=True)}
    for entry in entries:
        if entry.facts.get("change_plan_sha256") == change_plan_sha256:
            return None
        if entry.sha256 in told and _digest(entry) == challenger:
            return entry
    return None


def _names_plan(entry: LedgerEntry) -> bool:
    return bool(entry.facts.get("change_plan_sha256")) and entry.facts.get("step") != "promote"


def _digest(entry: LedgerEntry) -> str:
    return str(entry.facts.get("bundle_digest") or f"entry {entry.sequence}")


def _undone(entries: Sequence[LedgerEntry]) -> set[object]:
    return {entry.facts.get("of") for entry in entries if entry.kind is EntryKind.UNDONE}


def _reads(
    entries: Sequence[LedgerEntry], test_set_sha256: str, test_patients: Collection[str]
) -> Iterator[LedgerEntry]:
    """Yield the reads of a test set, or of one in which at least half of its patients were."""
    patients = set(test_patients)
    for entry in entries:
        if entry.kind is EntryKind.TEST_READ:
            others = set(entry.facts.get("test_patients") or ())
            shared = bool(patients) and len(patients & others) >= LEAST_SHARED_FRACTION * len(patients)
            if entry.facts.get("test_set_sha256") == test_set_sha256 or shared:
                yield entry


def _judged(
    entries: Sequence[LedgerEntry], test_set_sha256: str, test_patients: Collection[str], *, first: bool = False
) -> list[LedgerEntry]:
    """Return the decisions that were taken by scores on a test set, against a champion; `first` adds those that had none to compare with."""
    reads = list(_reads(entries, test_set_sha256, test_patients))
    bundles = {_digest(entry) for entry in reads}
    sets = {entry.facts.get("test_set_sha256") for entry in reads} | {test_set_sha256}
    return [
        entry
        for entry in entries
        if entry.kind is EntryKind.DECISION
        and entry.facts.get("look")
        and (first or entry.facts.get("before"))
        and _digest(entry) in bundles
        and entry.facts.get("test_set_sha256", test_set_sha256) in sets
    ]
