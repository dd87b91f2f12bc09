"""Two ledgers that went on apart from one beginning: what of one may stand behind the other, and what can't be joined."""

from collections.abc import Sequence
from pathlib import Path

from lesionflow.data.ledger import EntryKind, LedgerEntry
from lesionflow.errors import ArtifactError
from lesionflow.io.stores.ledger import append_entry
from lesionflow.registry.succession.history import FOUND

#: Entries that may always be added to what others have written meanwhile.
CARRIED = {EntryKind.TEST_READ, EntryKind.REGISTERED, EntryKind.RETRAIN, EntryKind.WITHDRAWAL}


def entries_to_add(
    here: tuple[LedgerEntry, ...], shared: tuple[LedgerEntry, ...], model_name: str
) -> tuple[list[LedgerEntry], frozenset[str]]:
    """Return what is to be added to the shared ledger, and which of it is a change that came too late.

    Who found a change open in the shared ledger may have ended it for the other: what is shared of its end counts. So does what is shared of a
    champion that was only found here: whoever made it tells why.

    Args:
        here: The ledger of this workspace.
        shared: The one that others have gone on with.
        model_name: The registered model, for the message.

    Raises:
        ArtifactError: When both sides changed the champion.
    """
    n_common = n_common_entries(here, shared)
    ended = {entry.facts["of"] for entry in shared if entry.facts.get("of")}
    told = {_about(entry) for entry in shared[n_common:] if not _changes_nothing([entry])}
    own = [
        entry
        for entry in here[n_common:]
        if entry.facts.get("of") not in ended and not (_is_found(entry) and _about(entry) in told)
    ]
    late = frozenset[str]()
    if not (_changes_nothing(own) or _changes_nothing(shared[n_common:])):
        late = _begun(own)
    kept = [entry for entry in own if entry.sha256 not in late]
    if own and (n_common == 0 or not (_changes_nothing(kept) or _changes_nothing(shared[n_common:]))):
        raise _forked(here, shared, n_common, model_name)
    return own, late


def add_behind(ledger: Path, own: Sequence[LedgerEntry], late: frozenset[str]) -> None:
    """Add entries of another ledger behind those of this one, and undo the changes among them that came too late.

    Args:
        ledger: Gets the entries.
        own: From `entries_to_add`.
        late: Digests of the changes to undo.
    """
    renamed: dict[str, str] = {}
    for entry in own:
        # What answers an entry names it by its digest, which is another one behind the others' entries.
        facts = {key: renamed.get(str(value), value) for key, value in entry.facts.items()}
        added = append_entry(ledger, entry.kind, {**facts, "noted_at": entry.at})
        renamed[entry.sha256] = added.sha256
        if entry.sha256 in late:
            detail = "Another workspace changed the champion at the same moment."
            about = {key: entry.facts.get(key) for key in ("model_name", "version")}
            append_entry(ledger, EntryKind.UNDONE, {**about, "of": added.sha256, "detail": detail})


def n_common_entries(here: tuple[LedgerEntry, ...], shared: tuple[LedgerEntry, ...]) -> int:
    """Return how many entries both ledgers begin with."""
    pairs = zip(here, shared, strict=False)
    return next((number for number, (a, b) in enumerate(pairs) if a.sha256 != b.sha256), min(len(here), len(shared)))


def _is_found(entry: LedgerEntry) -> bool:
    """Tell whether an entry only notes a champion that was made elsewhere."""
    return entry.kind is EntryKind.CHAMPION and entry.facts.get("by") == FOUND


def _about(entry: LedgerEntry) -> tuple[object, object]:
    return entry.facts.get("model_name"), entry.facts.get("version")


def _begun(entries: Sequence[LedgerEntry]) -> frozenset[str]:
    """Return the changes that were begun and not ended: not shared yet, none of them has moved the alias."""
    ended = {entry.facts.get("of") for entry in entries}
    begin = {EntryKind.DECISION, EntryKind.ROLLBACK}
    return frozenset(
        entry.sha256
        for entry in entries
        if entry.kind in begin and entry.facts.get("promote") is not False and entry.sha256 not in ended
    )


def _changes_nothing(entries: Sequence[LedgerEntry]) -> bool:
    """Tell whether none of the entries made anybody champion or barred a version: reads, refusals, and what was undone."""
    undone = {entry.facts.get("of") for entry in entries if entry.kind is EntryKind.UNDONE}
    own = {entry.sha256 for entry in entries}
    return all(
        entry.kind in CARRIED
        or _is_found(entry)
        or (entry.kind is EntryKind.DECISION and (entry.facts.get("promote") is False or entry.sha256 in undone))
        or (entry.kind is EntryKind.UNDONE and entry.facts.get("of") in own)
        for entry in entries
    )


def _forked(
    here: tuple[LedgerEntry, ...], shared: tuple[LedgerEntry, ...], n_common: int, model_name: str
) -> ArtifactError:
    own, theirs = here[n_common], shared[n_common]
    return ArtifactError(
        f"Expected the ledger of this workspace to go on from the one that {model_name} shares, found that they part after entry {n_common}: here "
        f"`{own.kind}` of {own.at}, there `{theirs.kind}` of {theirs.at}. Two histories of decisions can't be joined. Move data/ledger.jsonl away to "
        "take over the shared one, and decide again what was decided here alone: it is in the file that you moved."
    )
