"""Which snapshot of a model's shared state was seen last, noted beside the ledger: newest ones that were deleted leave no gap in the chain.

The mark holds the last entry of the ledger that the snapshot had. Neither side can lose it by work: a ledger is only ever added to.
"""

import json
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from lesionflow.data.ledger import LedgerEntry
from lesionflow.errors import ArtifactError
from lesionflow.io.files import read_json, write_text
from lesionflow.io.stores.ledger import NAME, READS, read_ledger
from lesionflow.registry.shared_state import Snapshot

MARK = ".ledger.seen"


class SeenState(NamedTuple):
    """The newest snapshot that a workspace has seen: its number and digest, and number and digest of the last entry of its ledger."""

    model_name: str
    number: int
    digest: str
    sequence: int
    entry: str


def entries_of(snapshot: Snapshot | None) -> tuple[LedgerEntry, ...]:
    """Return the ledger of a snapshot; none where nothing is shared.

    Raises:
        ArtifactError: When it was altered.
    """
    if snapshot is None:
        return ()
    with tempfile.TemporaryDirectory(prefix="lesionflow-ledger-") as folder:
        for name in (READS, NAME):
            if name in snapshot.files:
                (Path(folder) / name).write_bytes(snapshot.files[name])
        return read_ledger(Path(folder) / NAME)


def note_seen(ledger: Path, model_name: str, snapshot: Snapshot) -> None:
    """Note a snapshot that was seen or made; one without a ledger leaves nothing that could be missed."""
    entries = entries_of(snapshot)
    if not entries:
        return
    seen = SeenState(model_name, snapshot.number, snapshot.digest, entries[-1].sequence, entries[-1].sha256)
    if find_seen(ledger, model_name) != seen:
        write_text(ledger.with_name(MARK), json.dumps(seen._asdict(), indent=2) + "\n")


def find_seen(ledger: Path, model_name: str) -> SeenState | None:
    """Return what was seen last of a model's state; None where nothing was.

    Raises:
        ArtifactError: When the mark can't be read.
    """
    path = ledger.with_name(MARK)
    if not path.exists():
        return None
    content = read_json(path)
    try:
        seen = SeenState(**content)
    except TypeError as error:
        raise ArtifactError(
            f"Expected {path} to tell of the last snapshot that was seen, found other keys. Remove it: it is written anew."
        ) from error
    return seen if seen.model_name == model_name else None


def require_kept(ledger: Path, model_name: str, here: Collection[LedgerEntry], shared: Collection[LedgerEntry]) -> None:
    """Refuse to go on where an entry that was shared is neither here nor shared any longer: looks, decisions or bars are lost with it.

    Args:
        ledger: The ledger, beside which the mark lies.
        model_name: The registered model.
        here: The entries of this workspace.
        shared: Those of the newest snapshot.

    Raises:
        ArtifactError: When it is gone on both sides.
    """
    seen = find_seen(ledger, model_name)
    if seen is None or is_there(seen, here) or is_there(seen, shared):
        return
    raise ArtifactError(
        f"Expected entry {seen.sequence} of the ledger of {model_name} ({seen.entry:.12}), which snapshot {seen.number} of its state had, found it neither "
        f"here nor in what is shared: the newest snapshots were deleted in MLflow, and {ledger.name} was cut. Take {ledger.name} back from git, or MLflow's "
        f"database from a copy. Where another state is meant, as in a store that was begun anew, remove {ledger.with_name(MARK)}."
    )


def is_there(seen: SeenState, entries: Collection[LedgerEntry]) -> bool:
    """Tell whether entries have the one that a mark holds."""
    return any(entry.sha256 == seen.entry for entry in entries)


def describe_lacking(n_lacking: int, seen: SeenState | None, own: tuple[LedgerEntry, ...]) -> str:
    """Say what is shared and not in the ledger here, and whether it was lost here or never came; empty where nothing lacks."""
    if n_lacking < 1:
        return ""
    lost = seen is not None and not is_there(seen, own)
    what = "it was cut, as some of them were here before" if lost else "others noted them since"
    return f"; the ledger here lacks {n_lacking} entries that are shared, {what}: `lesionflow state fetch` brings them"
