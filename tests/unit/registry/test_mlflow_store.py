import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from lesionflow.errors import ArtifactError, ConfigError, ServiceError
from lesionflow.registry.mlflow_store import artifact_location, connect, reaching, sqlite_path
from lesionflow.registry.tracking import Tracker
from lesionflow.workspace.layout import store_uri


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
    assert sqlite_path("sqlite:////w/a%20b/mlflow.db?timeout=3") == Path("/w/a b/mlflow.db"), "as SQLAlchemy opens it"
    assert artifact_location("sqlite:///mlflow.db", "x") == f"file://{tmp_path}/mlartifacts/x"


def test_no_error_of_the_store_shows_a_password(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for password in ("s3cret", "s3:cret/x", "p@s3cret", "s3cret%40x", "s3cret?x#y"):
        for uri in (
            f"http://me:{password}@127.0.0.1:1/path",
            f"postgresql://me:{password}@localhost:1/db",
            f"foo://me:{password}@x",
            f"mariadb://me:{password}@127.0.0.1:1/db",
            # Mistyped: addresses that are none.
            f"me:{password}@127.0.0.1:1/db",
            f"http:/me:{password}@127.0.0.1:1",
            f"host=127.0.0.1 port=1 password={password}",
        ):
            # A ConfigError where the driver is not installed.
            with pytest.raises((ServiceError, ConfigError)) as raised:
                connect(uri)
            shown = "".join(traceback.format_exception(raised.value))
            # The test's own line names it.
            shown = "\n".join(line for line in shown.splitlines() if "connect(uri)" not in line)
            assert "s3" not in shown.replace("127", ""), (uri, shown)
            assert "cret" not in shown, (uri, shown)


def test_a_fault_of_our_own_passes_through():
    with pytest.raises(ArtifactError, match="ours"), reaching("sqlite:///x.db"):
        raise ArtifactError("ours")
    with pytest.raises(ServiceError, match="theirs") as raised, reaching("sqlite:///x.db"):
        raise ValueError("theirs")
    assert "ValueError" not in str(raised.value)
    assert isinstance(raised.value.__cause__, ValueError)


def test_who_only_reads_makes_no_store(tmp_path):
    with pytest.raises(ServiceError, match=r"found no such file\. Name the workspace"):
        connect(f"sqlite:///{tmp_path}/mlflow.db")
    assert not list(tmp_path.iterdir())
    connect(f"sqlite:///{tmp_path}/mlflow.db", make=True)
    assert (tmp_path / "mlflow.db").is_file()


def test_a_workspace_uses_its_own_store_whatever_its_folder_is_called(tmp_path):
    names = ["a b", "a%20b", "a?b"]
    for name in names:
        (tmp_path / name).mkdir()
    for name in names:
        tracker = Tracker(store_uri(tmp_path / name), "knees")
        (tmp_path / name / "note.txt").write_text(name)
        tracker.log_artifact(tracker.start_run(name), tmp_path / name / "note.txt")
    for name in names:
        client = connect(store_uri(tmp_path / name))
        [experiment] = client.search_experiments(filter_string="name = 'knees'")
        [run] = client.search_runs([experiment.experiment_id])
        assert run.info.run_name == name
        assert [path.read_text() for path in (tmp_path / name / "mlartifacts").rglob("note.txt")] == [name]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names), "and no folder beside it is made"
