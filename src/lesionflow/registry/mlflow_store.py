"""The MLflow store behind a tracking URI: made when it is a missing SQLite file, reached with our own errors."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from lesionflow.config.sqlite_address import sqlite_address, sqlite_file
from lesionflow.errors import LesionFlowError, ServiceError
from lesionflow.io.files import replacing_file
from lesionflow.registry.advice import say_fault
from lesionflow.registry.databases import is_database, knock, shared_artifacts, with_driver
from lesionflow.registry.moved_store import ARTIFACTS, bring_along, moved_place
from lesionflow.registry.secrets import without_password, without_secrets

__all__ = [
    "ARTIFACTS",
    "artifact_location",
    "artifact_place",
    "connect",
    "one_writer",
    "quiet_loggers",
    "reaching",
    "sqlite_path",
    "with_driver",
    "without_password",
]

#: What mlflow and its libraries raise when the store is absent, locked, of another version or refuses; requests' errors
#: are OSErrors. An address that can't be read, or a picture's key that is refused, is a ValueError; a missing driver an ImportError.
FAULTS = (MlflowException, SQLAlchemyError, OSError, ValueError, ImportError)


def sqlite_path(tracking_uri: str) -> Path | None:
    """Return the absolute path of a SQLite store, or None for a server's or another database's URI."""
    file = sqlite_file(tracking_uri)
    return None if file is None else file.absolute()


def artifact_location(tracking_uri: str, experiment: str) -> str | None:
    """Return where the artifacts of an experiment go: beside a SQLite file, where a setting says for another database; None lets the server decide.

    Raises:
        ConfigError: When the store is a database, and nothing says where its artifacts go.
    """
    database = sqlite_path(tracking_uri)
    if database is None:
        return shared_artifacts(tracking_uri, experiment) if is_database(tracking_uri) else None
    return (database.parent / ARTIFACTS / experiment).as_uri()


def artifact_place(recorded: str, tracking_uri: str) -> str:
    """Return where an artifact lies, also where the store was moved and can't be written.

    Args:
        recorded: Its address, as MLflow has it.
        tracking_uri: The store.
    """
    database = sqlite_path(tracking_uri)
    return recorded if database is None else moved_place(recorded, database)


@contextmanager
def reaching(tracking_uri: str) -> Iterator[None]:
    """Turn every fault of the store within the block into a `ServiceError` that names the store.

    Args:
        tracking_uri: The store.

    Yields:
        Nothing.

    Raises:
        ServiceError: When the store can't be reached or refuses.
    """
    try:
        yield
    except LesionFlowError:
        raise
    except FAULTS as error:
        # A traceback shows the cause's own message, which may hold the address as it is.
        cause = error if without_secrets(f"{tracking_uri} {error}", tracking_uri) == f"{tracking_uri} {error}" else None
        raise ServiceError(say_fault(error, tracking_uri)) from cause


def connect(tracking_uri: str, *, make: bool = False) -> MlflowClient:
    """Return a client of the store.

    Two processes may make a missing SQLite file at once, and a kill leaves no half-made one: the tables are made in a file
    of another name that is then moved to its place, under a lock.

    Args:
        tracking_uri: `sqlite:///FILE`, `http(s)://HOST` or another database's URI.
        make: Whether a missing SQLite file is made. Who only reads makes none: it would say that there is no model, where
            another folder was meant.

    Returns:
        A client for both tracking and registry.

    Raises:
        ConfigError: When the driver of a database is not installed.
        ServiceError: When the store can't be reached, or is a missing file that is only to be read.
    """
    database = sqlite_path(tracking_uri)
    if database is not None and not make and not database.exists():
        raise ServiceError(
            f"Expected an MLflow store at {database}, found no such file. Name the workspace that `lesionflow run` made with "
            "--workdir DIR, or set MLFLOW_TRACKING_URI to the store that is meant."
        )
    with reaching(tracking_uri):
        if database is not None:
            tracking_uri = sqlite_address(database)
            _make_sqlite(database)
            bring_along(database)
        tracking_uri = with_driver(tracking_uri)
        knock(tracking_uri)
        client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
        client.search_experiments(max_results=1)
    return client


def _make_sqlite(database: Path) -> None:
    if database.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(f".{database.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if database.exists():
            return
        with replacing_file(database) as partial, quiet_loggers("mlflow.store.db.utils", "alembic"):
            MlflowClient(sqlite_address(partial)).search_experiments(max_results=1)


@contextmanager
def one_writer(tracking_uri: str) -> Iterator[None]:
    """Keep others of the same kind waiting as long as the block runs, where the store is a SQLite file; a kill ends it too.

    Args:
        tracking_uri: The store. Of a server or another database nobody waits here.

    Yields:
        Nothing.

    Raises:
        ServiceError: When the folder of the store can't be written.
    """
    database = sqlite_path(tracking_uri)
    if database is None:
        yield
        return
    with reaching(tracking_uri):
        lock = database.with_name(f".{database.name}.writer.lock").open("w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def quiet_loggers(*loggers: str) -> Iterator[None]:
    """Let loggers pass only warnings within the block: mlflow tells of each table it makes.

    Args:
        loggers: Their names.

    Yields:
        Nothing.
    """
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in loggers]
    for logger, _ in before:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in before:
            logger.setLevel(level)
