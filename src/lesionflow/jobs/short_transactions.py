"""Transactions on the database of jobs, and what is said when it does not answer; what is read and written in one, its caller says."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from lesionflow.errors import ServiceError
from lesionflow.jobs.job_database import READS_ALONE
from lesionflow.machine.error_words import kind_in_words


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that may write; it is on disk when this is left.

    Raises:
        ServiceError: When the database can't do what is asked; what it refuses to hold twice stays SQLAlchemy's `IntegrityError`.
    """
    with _named(), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads, and so waits for nobody; raises as `writing`."""
    with _named(), engine.connect() as connection:
        yield connection.execution_options(**{READS_ALONE: True})


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except SQLAlchemyError as error:
        raise ServiceError(
            f"Expected the database of jobs to answer, found {kind_in_words(error)}. Is it running, and is there room on its disk?"
        ) from error
