"""A database for jobs: opened, and brought to the present form of its table."""

import logging
import sqlite3
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from lesionflow.errors import ConfigError, ServiceError
from lesionflow.machine.error_words import kind_in_words
from lesionflow.registry.databases import with_driver

MIGRATIONS = Path(__file__).with_name("migrations")
#: SQLite lets one write at a time; others wait so long.
BUSY_MS = 30_000
#: An execution option of connections that write nothing.
READS_ALONE = "lesionflow_reads_alone"


def open_database(url: str) -> Engine:
    """Connect to a database of jobs and bring its table to the present form.

    Args:
        url: `sqlite:////var/lib/jobs.db`, `postgresql://USER:PASSWORD@HOST/NAME`, `mariadb://...`.

    Returns:
        The engine; its `dispose` closes all connections.

    Raises:
        ConfigError: When the URL can't be understood or its driver is missing.
        ServiceError: When the database does not answer; no message holds a password.
    """
    try:
        parsed = make_url(with_driver(url))
        options = {"pool_pre_ping": True, "hide_parameters": True}
        if parsed.get_backend_name() == "sqlite":
            engine = create_engine(parsed, **options, connect_args={"timeout": BUSY_MS / 1000})
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin)
        else:
            # A worker must see what others have written, not what stood there when its transaction began.
            engine = create_engine(parsed, **options, isolation_level="READ COMMITTED")
    except (ArgumentError, ModuleNotFoundError, ValueError) as error:
        raise ConfigError(
            f"Expected LESIONFLOW_DATABASE_URL to be one that SQLAlchemy takes and has a driver for, found one of which it says: "
            f"{kind_in_words(error)}. Write sqlite:////FOLDER/jobs.db, postgresql://USER:PASSWORD@HOST/NAME or mariadb://..."
        ) from error
    try:
        with engine.begin() as connection:
            _upgrade(connection)
    except SQLAlchemyError as error:
        engine.dispose()
        raise ServiceError(
            f"Expected a database of jobs at {parsed.render_as_string(hide_password=True)}, found none that answers "
            f"({kind_in_words(error)}). Is it running, and may this user make tables there?"
        ) from error
    return engine


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    # Alembic tells each step at INFO.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    command.upgrade(config, "head")


def _set_up_sqlite(connection: object, _: object) -> None:
    # The driver's own way of beginning transactions would begin them late: reads before a write could be stale.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    _write_ahead(cursor)
    # FULL: what was accepted survives a power cut.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Set the journal to WAL: SQLite does not wait for another that sets it at the same moment, as it does for every other lock."""
    until = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def _begin(connection: Connection) -> None:
    # Who reads first and writes then would fail when another wrote between; who only reads waits for nobody.
    reads_alone = connection.get_execution_options().get(READS_ALONE, False)
    connection.exec_driver_sql("BEGIN" if reads_alone else "BEGIN IMMEDIATE")
