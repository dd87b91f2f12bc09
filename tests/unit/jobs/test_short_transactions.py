"""A database that does not answer is told by one name; what it refuses to hold twice is its caller's to understand."""

import pytest
from sqlalchemy.exc import IntegrityError

from lesionflow.errors import ServiceError
from lesionflow.jobs.job_database import open_database
from lesionflow.jobs.short_transactions import reading, writing
from lesionflow.jobs.tables import API_KEYS

ROW = {"id": "a", "name": "n", "secret_sha256": "0" * 64, "scopes": "read", "created_ms": 1}


def test_what_fails_is_undone_and_named(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(API_KEYS.insert(), [ROW, ROW])
    with reading(engine) as connection:
        assert connection.execute(API_KEYS.select()).all() == []
    with pytest.raises(ServiceError, match="the database of jobs to answer"), reading(engine) as connection:
        connection.exec_driver_sql("SELECT * FROM nothing")
    engine.dispose()
