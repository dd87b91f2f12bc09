"""Any database that SQLAlchemy knows, brought to the present form, and refused by name otherwise."""

import sqlite3
import threading

import pytest

from lesionflow.errors import ConfigError, ServiceError
from lesionflow.jobs import job_database
from lesionflow.jobs.job import JobState
from lesionflow.jobs.job_database import open_database
from lesionflow.jobs.queue import JobQueue


def test_a_database_opened_again_keeps_its_jobs(tmp_path):
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    first = open_database(url)
    job = JobQueue(first, "q").submit({"a": [1, "b"]}, "0" * 64).job
    first.dispose()
    second = open_database(url)
    found = JobQueue(second, "q").get(job.id)
    second.dispose()
    assert (found.order, found.state) == ({"a": [1, "b"]}, JobState.QUEUED)


def test_jobs_that_were_there_before_further_models_are_the_main_models(tmp_path):
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    first = open_database(url)
    job = JobQueue(first, "q").submit({}, "0" * 64).job
    with first.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE jobs DROP COLUMN model")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    first.dispose()
    second = open_database(url)
    claimed = JobQueue(second, "q").claim("w", 60.0)
    second.dispose()
    assert claimed.id == job.id


def test_services_that_start_at_once_make_one_table(tmp_path):
    url, engines, faults = f"sqlite:///{tmp_path / 'jobs.db'}", [], []

    def start():
        try:
            engines.append(open_database(url))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test says it
            faults.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for engine in engines:
        engine.dispose()
    assert faults == []
    with sqlite3.connect(tmp_path / "jobs.db") as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def test_what_is_written_survives_a_power_cut(tmp_path):
    """WAL with synchronous FULL: a commit is on disk when it returns (SQLite, PRAGMA synchronous)."""
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()


@pytest.mark.parametrize("url", ["nothing", "oracle+nodriver://u:hush@h/n", "postgresql+nodriver://u:hush@h/n"])
def test_a_url_that_can_not_be_used_is_refused_without_its_password(url):
    with pytest.raises(ConfigError, match="LESIONFLOW_DATABASE_URL") as error:
        open_database(url)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all/jobs.db", "postgresql+psycopg://u:hush@127.0.0.1:1/n"])
def test_a_database_that_does_not_answer_is_named_without_its_password(url):
    with pytest.raises(ServiceError, match="none that answers") as error:
        open_database(url)
    assert "hush" not in str(error.value)


def test_many_that_set_one_database_up_at_the_same_moment_wait_for_one_another(tmp_path):
    """SQLite says "database is locked" at once to one of two that change the journal's mode, whatever its busy timeout."""
    faults = []

    def set_up(path, together):
        connection = sqlite3.connect(path, timeout=30)
        together.wait()
        try:
            job_database._set_up_sqlite(connection, None)
        except sqlite3.OperationalError as error:
            faults.append(error)
        connection.close()

    for number in range(60):
        together = threading.Barrier(8)
        path = tmp_path / f"{number}.db"
        threads = [threading.Thread(target=set_up, args=(path, together)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert faults == []
