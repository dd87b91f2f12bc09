"""Each thing that the service needs, missing and back: told by name, without an address, and never waited for."""

import threading
import types

import pytest

from lesionflow.errors import ServiceError
from lesionflow.jobs.job_database import open_database
from lesionflow.jobs.queue import JobQueue
from lesionflow.serving.readiness import needs
from lesionflow.serving.readiness.needs import check_all, check_further, told


@pytest.fixture
def queue(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield JobQueue(database, "q")
    database.dispose()


@pytest.fixture
def folders(tmp_path):
    made = {name: tmp_path / name for name in ("studies", "results")}
    for folder in made.values():
        folder.mkdir()
    return made


def engine(*, ok=True):
    return types.SimpleNamespace(
        health=lambda: {"model": (ok, "m version 1"), "golden_cases": (ok, "2"), "processes": (ok, "1")}
    )


def failing(found):
    return {name for name, check in found.items() if not check.ok}


def test_all_is_well_and_nothing_of_the_look_stays(queue, folders):
    found = check_all(engine(), queue, folders, 1)
    assert failing(found) == set()
    assert list(found) == [
        "model", "golden_cases", "processes", "database", "studies_writable", "results_writable", "disk"
    ]  # fmt: skip
    assert [list(folder.iterdir()) for folder in folders.values()] == [[], []]
    assert told(found)["database"] == {"ok": True, "detail": "0 jobs have not ended"}


def test_without_a_model_the_rest_is_told_all_the_same(queue, folders):
    assert failing(check_all(engine(ok=False), queue, folders, 1)) == {"model", "golden_cases", "processes"}


def test_of_a_model_beside_the_main_one_the_first_thing_that_does_not_hold_is_told():
    found = check_further({"a": engine(), "b": engine(ok=False)})
    assert found == {"a": (True, "m version 1"), "b": (False, "m version 1")}


def test_a_lost_database_is_named_and_found_again(queue, folders, tmp_path):
    with queue._engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE jobs RENAME TO away")
    found = check_all(engine(), queue, folders, 1)
    assert failing(found) == {"database"}
    assert str(tmp_path) not in str(found)
    with queue._engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO jobs")
    assert failing(check_all(engine(), queue, folders, 1)) == set()


def test_a_folder_that_can_not_be_written_is_named_and_found_again(queue, folders, tmp_path):
    folders["results"].rmdir()
    folders["results"].write_text("no folder")
    found = check_all(engine(), queue, folders, 1)
    assert "results_writable" in failing(found)
    assert "studies_writable" not in failing(found)
    assert str(tmp_path) not in str(found)
    folders["results"].unlink()
    folders["results"].mkdir()
    assert failing(check_all(engine(), queue, folders, 1)) == set()


def test_a_disk_below_its_floor_is_named(queue, folders, monkeypatch):
    monkeypatch.setattr(needs.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=999_000_000))
    assert failing(check_all(engine(), queue, folders, 999)) == set()
    found = check_all(engine(), queue, folders, 1000)
    assert (failing(found), found["disk"].detail) == ({"disk"}, "999 MB free, 1000 MB wanted")


def test_what_never_answers_is_not_waited_for(folders, monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr(needs, "TIMEOUT_S", 0.2)
    queue = types.SimpleNamespace(n_open=lambda: gate.wait(60))
    found = check_all(engine(), queue, folders, 1)
    gate.set()
    assert (failing(found), found["database"].detail) == ({"database"}, "no answer within 0.2 s")


def test_of_an_error_its_kind_alone_is_told(folders):
    def away():
        raise ServiceError("Expected the database at db.internal to answer.")

    found = check_all(engine(), types.SimpleNamespace(n_open=away), folders, 1)
    assert found["database"].detail == "a service error; the service's log may say more"
