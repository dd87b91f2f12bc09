import subprocess
import sys

import pytest

from lesionflow.errors import ServiceError
from lesionflow.registry.store import artifact_location, connect, sqlite_path, without_password


def test_processes_may_make_the_store_at_once(tmp_path):
    code = (
        "import sys; from lesionflow.registry.tracking import Tracker; print(Tracker(sys.argv[1], 'x').start_run('r'))"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path}/new/mlflow.db"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    results = [(p.communicate(), p.returncode) for p in [subprocess.Popen(command, **pipes) for _ in range(2)]]
    assert [code for _, code in results] == [0, 0], results
    assert results[0][0][0] != results[1][0][0]
    assert not any(err for (_, err), _ in results), "making the store is silent"
    assert not list((tmp_path / "new").glob(".partial*"))


def test_a_file_that_is_no_database_is_a_service_error(tmp_path):
    (tmp_path / "mlflow.db").write_text("this is not a database, " * 100)
    with pytest.raises(ServiceError, match="MLFLOW_TRACKING_URI"):
        connect(f"sqlite:///{tmp_path}/mlflow.db")


def test_only_sqlite_has_its_artifacts_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert artifact_location("https://mlflow.example.org", "x") is None
    assert sqlite_path("postgresql://host/db") is None
    assert sqlite_path("sqlite:///mlflow.db") == tmp_path / "mlflow.db"
    assert artifact_location("sqlite:///mlflow.db", "x") == f"file://{tmp_path}/mlartifacts/x"


def test_passwords_are_not_shown():
    assert without_password("https://me:secret@host/path") == "https://host/path"
    assert without_password("sqlite:////a/b.db") == "sqlite:////a/b.db"


def test_who_only_reads_makes_no_store(tmp_path):
    with pytest.raises(ServiceError, match=r"found no such file\. Name the workspace"):
        connect(f"sqlite:///{tmp_path}/mlflow.db")
    assert not list(tmp_path.iterdir())
    connect(f"sqlite:///{tmp_path}/mlflow.db", make=True)
    assert (tmp_path / "mlflow.db").is_file()
