"""A patient's traces in MLflow: tables, pictures, tags and figures of runs go; bundles, whose bytes are sealed, are named."""

import re
import sqlite3
from collections import Counter
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from lesionflow.data.bundle import Card, FoldCard
from lesionflow.errors import ArtifactError
from lesionflow.io.redaction import mentions, redact
from lesionflow.registry.mlflow_store import ARTIFACTS, sqlite_path
from lesionflow.registry.registered_bundles import fetch_bundle
from lesionflow.registry.shared_state import SNAPSHOTS
from lesionflow.registry.versions import RegisteredVersion, list_models, list_versions, tag_version

#: A picture whose path names a case shows that case; any other may show several.
CASE = re.compile(r"c-[0-9a-f]{12}|c-\d{6}")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".html")
#: Columns by which a row is found; a row found by a withdrawn word goes, in other columns the word goes.
KEYS = ("key", "name", "tag_key", "param_key", "metric_name")
#: Of versions that learned from somebody who was withdrawn.
LEARNED_TAG = "learned_from_withdrawn"
GONE = "withdrawn"
#: What a model shares with whoever trains it names patients by pseudonym.
OLD_SNAPSHOTS = (
    "{at}: {n} files of older snapshots of the test set and ledger that the model shares; each is sealed by the one after it. The newest split "
    "does not name the patient; to let the older go: delete the registered model of that name in MLflow, `mlflow gc`, then `lesionflow state push`"
)


class Erased(NamedTuple):
    """What was done in a store: files removed or rewritten, rows changed; what could not be reached or may not be changed."""

    n_files: int
    n_rows: int
    kept: tuple[str, ...]


class Learned(NamedTuple):
    """A registered version, what it did with the patient's cases, and how it is called now."""

    version: RegisteredVersion
    how: str


def erase_mentions(tracking_uri: str, words: tuple[str, ...]) -> Erased:
    """Take all that says one of some words out of a store on disk.

    Args:
        tracking_uri: The store; one that is no SQLite file is only named: its server owns the files.
        words: Pseudonyms and identifiers.
    """
    database = sqlite_path(tracking_uri)
    if database is None:
        told = (
            "MLflow is a server or another database: ask its owner to take out runs' tables, pictures and tags of the patient, and what older "
            "snapshots of a model's state (registered models that end in .state) name; the newest split that is shared there does not"
        )
        return Erased(0, 0, (told,))
    if not database.exists():
        return Erased(0, 0, ())
    n_files, kept = _erase_files(database.parent / ARTIFACTS, words)
    return Erased(n_files, _erase_rows(database, words), kept)


def find_learned(tracking_uri: str, case_ids: Collection[str]) -> tuple[Learned, ...]:
    """Find the registered versions that learned from cases, or were validated on them; they are tagged so.

    Raises:
        ServiceError: When the store can't be reached.
    """
    database = sqlite_path(tracking_uri)
    if database is not None and not database.exists():
        return ()
    found = []
    for name in list_models(tracking_uri):
        for version in list_versions(name, tracking_uri):
            how = _how(version, set(case_ids), tracking_uri)
            if how:
                tag_version(name, version.version, {LEARNED_TAG: how}, tracking_uri)
                found.append(Learned(version, how))
    return tuple(found)


def _how(version: RegisteredVersion, cases: set[str], tracking_uri: str) -> str:
    try:
        bundle = fetch_bundle(version.model_name, version.version, tracking_uri)
    except ArtifactError:
        return "its files are not whole, so it can't be told"
    card = bundle.card
    parts: tuple[Card | FoldCard, ...] = (card, *card.folds, *card.coarse)
    if cases & {case for one in parts for case in one.trained_cases}:
        return "learned from the patient"
    if cases & {*card.learned_cases, *(bundle.calibration.cases if bundle.calibration else ())}:
        return "chosen and calibrated by the patient"
    if any(cases & set(ancestor.learned_cases) for ancestor in card.line):
        return "began with weights that learned from the patient"
    return ""


def _erase_files(root: Path, words: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    n_files, kept = 0, []
    states: Counter[str] = Counter()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        inside = path.relative_to(root)
        if SNAPSHOTS in inside.parts[1:-1]:
            # Each snapshot is sealed by the one after it.
            states[inside.parts[0]] += mentions(path, words)
        elif "models" in inside.parts[:2]:
            # A registered bundle is its bytes: what is said in it stays as long as the version does.
            if mentions(path, words):
                kept.append(
                    f"{ARTIFACTS}/{inside}: of a registered bundle, whose bytes are sealed; it goes with its version"
                )
        elif (path.suffix.lower() in PICTURES and not CASE.search(inside.as_posix())) or any(
            word in inside.as_posix() for word in words
        ):
            path.unlink()
            n_files += 1
        else:
            n_files += redact(path, words)
    return n_files, (*kept, *(OLD_SNAPSHOTS.format(at=f"{ARTIFACTS}/{at}", n=n) for at, n in states.items() if n))


def _erase_rows(database: Path, words: tuple[str, ...]) -> int:
    n_rows = 0
    with closing(sqlite3.connect(database, timeout=60)) as store:
        store.execute("PRAGMA secure_delete = ON")
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [(name, kind) for _, name, kind, *_ in store.execute(f'PRAGMA table_info("{table}")')]
            texts = [name for name, kind in columns if "CHAR" in kind.upper() or "TEXT" in kind.upper()]
            for column in texts:
                n_rows += sum(_erase_word(store, table, column, word) for word in words)
        store.commit()
        # What was deleted still lies in the file's free pages.
        store.execute("VACUUM")
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return n_rows


def _erase_word(store: sqlite3.Connection, table: str, column: str, word: str) -> int:
    # Names come from the database's own schema, never from outside.
    if column in KEYS and table not in ("runs", "experiments"):
        done = store.execute(f'DELETE FROM "{table}" WHERE instr("{column}", ?)', (word,))  # noqa: S608
    else:
        query = f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) WHERE instr("{column}", ?)'  # noqa: S608
        done = store.execute(query, (word, GONE, word))
    return done.rowcount
