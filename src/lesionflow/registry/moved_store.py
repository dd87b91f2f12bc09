"""A SQLite store whose folder was moved, renamed or copied: its artifacts are found beside it again.

MLflow writes the full path of each artifact into its tables. What lies beside the database in `mlartifacts` is part of the
workspace, so where the recorded place is another, or is gone, the records are brought along: the champion is fetched, runs
that go on write beside the database, and MLflow's own pages show their pictures.
"""

import fcntl
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

ARTIFACTS = "mlartifacts"
#: Where MLflow 3.17 records places of artifacts; the experiment's is what all others begin with.
RECORDS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
logger = logging.getLogger(__name__)


def bring_along(database: Path) -> int:
    """Let a store's records name the artifacts that lie beside it.

    Records of artifacts that lie elsewhere, and are there, stay. Killed in between, nothing is changed.

    Args:
        database: The SQLite file.

    Returns:
        How many experiments were recorded elsewhere.
    """
    try:
        moves = _moves(database)
        if moves:
            with database.with_name(f".{database.name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                _rewrite(database, _moves(database))
    except (sqlite3.Error, OSError) as error:
        # A file that is no store, or can't be written: what is asked of it next says so better.
        logger.debug("artifacts of a moved store were not brought along: %s", error)
        return 0
    if moves:
        logger.info("the store was moved: artifacts of %d experiments are found beside it again", len(moves))
    return len(moves)


def moved_place(recorded: str, database: Path) -> str:
    """Return where an artifact lies now: beside the database where it lies there, else as recorded.

    For a store that can't be written.

    Args:
        recorded: A `file://` address.
        database: The SQLite file.
    """
    head, found, rest = recorded.rpartition(f"/{ARTIFACTS}/")
    beside = f"{database.parent.as_uri()}/{ARTIFACTS}/{rest}"
    return beside if head and found and _path(beside).exists() else recorded


def _moves(database: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT artifact_location FROM experiments WHERE artifact_location LIKE 'file://%'")
        recorded = [str(row[0]) for row in rows]
    own = f"{database.parent.as_uri()}/{ARTIFACTS}/"
    elsewhere = [place for place in recorded if f"/{ARTIFACTS}/" in place and not place.startswith(own)]
    moves = ((place, own + place.rpartition(f"/{ARTIFACTS}/")[2]) for place in elsewhere)
    return [(old, new) for old, new in moves if _path(new).exists() or not _path(old).exists()]


def _rewrite(database: Path, moves: list[tuple[str, str]]) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        tables = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table, column in RECORDS:
            if table in tables:
                for old, new in moves:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR substr({column}, 1, ?) = ?",  # noqa: S608 - our own names
                        (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
                    )


def _path(address: str) -> Path:
    return Path(url2pathname(urlparse(address).path))
