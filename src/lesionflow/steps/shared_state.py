"""The lock travels: split, ledger and change plan are state of the registered model, which every workspace and cluster that trains it shares.

`fetch_shared` before a split is drawn, `push_shared` after it; `share_ledger` around each read of the test set and each decision. The
name of the model stands in the split itself, so that a step that has the split knows whose state it is.
"""

import logging
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from lesionflow.cohort.shared_lock import join_locks, leave_out
from lesionflow.config.change_plan import CHANGE_PLAN, read_change_plan
from lesionflow.data.split import Split
from lesionflow.errors import ArtifactError, ServiceError
from lesionflow.io.files import write_bytes
from lesionflow.io.stores.ledger import READS, describe_ledger, ledger_path, read_ledger
from lesionflow.io.stores.splits import read_split, split_from, write_split
from lesionflow.registry.mlflow_store import sqlite_path
from lesionflow.registry.shared_state import Snapshot, latest_snapshot, push_snapshot
from lesionflow.registry.succession.joining import add_behind, entries_to_add, n_common_entries
from lesionflow.registry.versions import CHAMPION, find_version
from lesionflow.steps.seen_state import describe_lacking, entries_of, find_seen, note_seen, require_kept

SPLIT = "splits.json"
#: Somebody else may be faster so often.
ATTEMPTS = 5
logger = logging.getLogger(__name__)


def fetch_shared(splits: Path, model_name: str, tracking_uri: str, *, change_plan: Path | None = None) -> bool:
    """Bring the registered model's state into a workspace: its split is honored by the next `make_split`.

    Args:
        splits: Where the split lies, or would; the ledger lies beside it.
        model_name: The registered model; empty for a split that is not shared.
        tracking_uri: The store.
        change_plan: Where the change plan lies, or would; it is replaced by a shared one of a higher version. None leaves it out.

    Returns:
        Whether the model shares any state.

    Raises:
        ArtifactError: When what lies here and what is shared disagree, or the shared state was harmed.
        ServiceError: When the store can't be reached: a test set drawn without asking may be another one.
    """
    snapshot = latest_snapshot(model_name, tracking_uri) if model_name else None
    ledger = ledger_path(splits)
    if model_name:
        require_kept(ledger, model_name, read_ledger(ledger), entries_of(snapshot))
    if snapshot is None:
        return False
    shared = _split_of(snapshot)
    if shared is not None:
        here = read_split(splits) if splits.exists() else None
        joined = shared if here is None else join_locks(here, shared)
        if here is None:
            logger.info(
                "the test set of %s is shared: its %d patients stay locked here too",
                model_name,
                len(shared.test_patients),
            )
        if joined != here:
            write_split(splits, joined)
    _take_ledger(ledger, snapshot, model_name)
    note_seen(ledger, model_name, snapshot)
    if change_plan is not None and CHANGE_PLAN in snapshot.files:
        _take_plan(change_plan, snapshot.files[CHANGE_PLAN])
    return True


def require_lock(splits: Path, model_name: str, tracking_uri: str) -> None:
    """Refuse to draw a test set anew for a model that has a champion: it may have learned from whom it would be tested on.

    Args:
        splits: Where the split lies after `fetch_shared`, or would.
        model_name: The registered model; empty for a split that is not shared.
        tracking_uri: The store.

    Raises:
        ArtifactError: When there is a champion and no split.
        ServiceError: When the store can't be reached.
    """
    database = sqlite_path(tracking_uri)
    if splits.exists() or not model_name or (database is not None and not database.exists()):
        return
    champion = find_version(model_name, CHAMPION, tracking_uri)
    if champion is not None:
        raise ArtifactError(
            f"Expected the split by which {model_name} version {champion.version}, the champion, was tested, found none here and none shared. "
            "Drawn anew, it would test on patients who were learned from. Share it from the workspace that has it (`lesionflow state push`), or "
            "give this model another name."
        )


def describe_shared(model_name: str, tracking_uri: str) -> tuple[str, ...]:
    """Say what a registered model shares.

    Raises:
        ArtifactError: When the shared state was harmed.
        ServiceError: When the store can't be reached.
    """
    snapshot = latest_snapshot(model_name, tracking_uri)
    shared = _split_of(snapshot)
    if snapshot is None or shared is None:
        return (f"{model_name} shares nothing yet.",)
    with tempfile.TemporaryDirectory(prefix="lesionflow-state-") as folder:
        for name, content in snapshot.files.items():
            (Path(folder) / name).write_bytes(content)
        ledger = describe_ledger(ledger_path(Path(folder) / SPLIT))
        path = Path(folder) / CHANGE_PLAN
        plan = (
            f"change plan: version {read_change_plan(path).version}" if path.exists() else "change plan: not shared yet"
        )
    return (
        f"Snapshot {snapshot.number} of the state of {model_name} ({snapshot.digest:.12})",
        f"test set: {len(shared.test_patients)} patients locked, {len(shared.other_patients)} learned from",
        plan,
        *ledger,
    )


def push_shared(
    splits: Path,
    model_name: str,
    tracking_uri: str,
    *,
    change_plan: Path | None = None,
    without: Collection[str] = (),
) -> int:
    """Share a workspace's state as the registered model's, joined with what others have shared meanwhile.

    Args:
        splits: The split; the ledger lies beside it.
        model_name: The registered model; empty for a split that is not shared.
        tracking_uri: The store; made when it is a missing SQLite file.
        change_plan: The change plan that models are judged by; None leaves the shared one as it is.
        without: Pseudonyms of a patient who was withdrawn and of the cases: the new state does not name them.

    Returns:
        The snapshot's number; 0 for a split that is not shared.

    Raises:
        ArtifactError: When what lies here and what is shared disagree, or the shared state was harmed.
        ServiceError: When the store can't be reached, or others share at the same time again and again.
    """
    if not model_name:
        return 0
    ledger = ledger_path(splits)
    for _ in range(ATTEMPTS):
        before = latest_snapshot(model_name, tracking_uri)
        require_kept(ledger, model_name, read_ledger(ledger), entries_of(before))
        files = dict(before.files) if before else {}
        if before is not None:
            _take_ledger(ledger, before, model_name)
        shared = _split_of(before)
        shared = None if shared is None else leave_out(shared, without)
        here = read_split(splits)
        joined = here if shared is None else join_locks(here, shared)
        files[SPLIT] = splits.read_bytes() if joined == here else joined.model_dump_json(indent=2).encode() + b"\n"
        files |= {one.name: one.read_bytes() for one in _ledger_files(ledger) if one.exists()}
        if change_plan is not None:
            files[CHANGE_PLAN] = _newer_plan(change_plan, files.get(CHANGE_PLAN), model_name)
        made = push_snapshot(model_name, files, before, tracking_uri)
        if made is not None:
            note_seen(ledger, model_name, made)
            return made.number
    raise ServiceError(
        f"Expected to share the state of {model_name}, found others sharing theirs at the same time, {ATTEMPTS} times. Give the same command again."
    )


def share_ledger(splits: Path, tracking_uri: str, *, change_plan: Path | None = None) -> int:
    """Bring the ledger beside a split up to date with the registered model's, and share it.

    Before a read of the test set or a decision, so that it stands on what others have noted; after it, so that others see it.

    Args:
        splits: A split, that names the model which it is shared with.
        tracking_uri: The store.
        change_plan: As `push_shared` takes it.

    Returns:
        The snapshot's number; 0 for a split that is not shared.

    Raises:
        ArtifactError: As `push_shared`.
        ServiceError: As `push_shared`.
    """
    return push_shared(splits, read_split(splits).model_name, tracking_uri, change_plan=change_plan)


@contextmanager
def joined_ledger(
    splits: Path, model_name: str, tracking_uri: str, *, change_plan: Path | None = None
) -> Iterator[tuple[Path, str]]:
    """Look at the ledger as it is together with what the registered model shares; neither is changed.

    Args:
        splits: The split; the ledger lies beside it. Where there is none, or it shares another model's, the ledger is taken as it is.
        model_name: The registered model that is asked for.
        tracking_uri: The store.
        change_plan: As `push_shared` takes it.

    Yields:
        The ledger, or a copy that is joined, and what is shared in words; no words where nothing is.

    Raises:
        ArtifactError: When what lies here and what is shared disagree, or the shared state was harmed.
        ServiceError: When the store can't be reached.
    """
    ledger = ledger_path(splits)
    here = read_split(splits) if splits.exists() else None
    is_shared = here is not None and here.model_name == model_name
    snapshot = latest_snapshot(model_name, tracking_uri) if is_shared else None
    if is_shared:
        require_kept(ledger, model_name, read_ledger(ledger), entries_of(snapshot))
    if here is None or snapshot is None:
        yield ledger, ""
        return
    shared = _split_of(snapshot)
    if shared is not None:
        join_locks(here, shared)
    if change_plan is not None and change_plan.exists():
        _newer_plan(change_plan, snapshot.files.get(CHANGE_PLAN), model_name)
    with tempfile.TemporaryDirectory(prefix="lesionflow-ledger-") as folder:
        copy = Path(folder) / ledger.name
        for one, other in zip(_ledger_files(ledger), _ledger_files(copy), strict=True):
            if one.exists():
                write_bytes(other, one.read_bytes())
        own = read_ledger(copy)
        _take_ledger(copy, snapshot, model_name)
        told = describe_lacking(len(read_ledger(copy)) - len(own), find_seen(ledger, model_name), own)
        yield copy, f"snapshot {snapshot.number}: test set, ledger and change plan here go with it{told}"


def _split_of(snapshot: Snapshot | None) -> Split | None:
    content = snapshot.files.get(SPLIT) if snapshot else None
    return (
        None
        if content is None
        else split_from(content, "in the shared state", "Was it written by a newer lesionflow? Use that one.")
    )


def _ledger_files(ledger: Path) -> tuple[Path, Path]:
    return ledger.with_name(READS), ledger


def _take_ledger(ledger: Path, snapshot: Snapshot, model_name: str) -> None:
    """Let the ledger here begin with the shared one; what was noted here alone is added to it."""
    with tempfile.TemporaryDirectory(prefix="lesionflow-ledger-") as folder:
        copy = Path(folder) / ledger.name
        for path in _ledger_files(copy):
            if path.name in snapshot.files:
                path.write_bytes(snapshot.files[path.name])
        here, shared = read_ledger(ledger), read_ledger(copy)
        if n_common_entries(here, shared) == len(shared):
            return
        own, late = entries_to_add(here, shared, model_name)
        add_behind(copy, own, late)
        if own:
            logger.info(
                "%d entries of the ledger here are added to those that others of %s noted", len(own), model_name
            )
        for path in _ledger_files(copy):
            if path.exists():
                write_bytes(ledger.with_name(path.name), path.read_bytes())


def _take_plan(path: Path, shared: bytes) -> None:
    """Replace a change plan by a shared one of a higher version."""
    with tempfile.TemporaryDirectory(prefix="lesionflow-plan-") as folder:
        copy = Path(folder) / CHANGE_PLAN
        copy.write_bytes(shared)
        if not path.exists() or read_change_plan(copy).version > read_change_plan(path).version:
            write_bytes(path, shared)
            logger.info("%s is the shared one now, version %d", path.name, read_change_plan(path).version)


def _newer_plan(path: Path, shared: bytes | None, model_name: str) -> bytes:
    """Return the change plan to share: that of the higher version."""
    own = path.read_bytes()
    if shared is None or shared == own:
        return own
    with tempfile.TemporaryDirectory(prefix="lesionflow-plan-") as folder:
        copy = Path(folder) / CHANGE_PLAN
        copy.write_bytes(shared)
        theirs, ours = read_change_plan(copy), read_change_plan(path)
    if theirs.digest == ours.digest:
        return shared
    if ours.version > theirs.version:
        return own
    raise ArtifactError(
        f"Expected {path.name} to be the change plan that {model_name} shares, version {theirs.version}, or a later one, found version {ours.version} with "
        "other content. A plan is changed before a model is judged by it: raise its version, or move the file away: `lesionflow state fetch` "
        "then brings the shared one."
    )
