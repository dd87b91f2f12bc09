"""Keys of the service, as its operator makes and revokes them."""

import pytest

from lesionflow.cli import main
from lesionflow.jobs.api_keys import ApiKeys
from lesionflow.jobs.job_database import open_database


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LESIONFLOW_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("LESIONFLOW_DATABASE_URL", raising=False)
    return tmp_path / "state"


def said(capsys, *words, status=0):
    assert main(["serve", "keys", *words]) == status
    return capsys.readouterr()


def test_a_key_is_told_once_listed_without_its_secret_and_revoked(capsys, state):
    token = said(capsys, "add", "Ward 7", "--scope", "submit", "--scope", "read").out.strip()
    engine = open_database(f"sqlite:///{state / 'jobs.db'}")
    assert ApiKeys(engine).find(token).name == "Ward 7"
    listed = said(capsys, "list").out
    assert "Ward 7" in listed
    assert "read,submit" in listed
    assert token.split("_")[2] not in listed
    assert "revoked" in said(capsys, "revoke", "Ward 7").out
    assert ApiKeys(engine).find(token) is None
    engine.dispose()
    trail = said(capsys, "audit")
    assert [line.split()[1] for line in trail.out.splitlines()] == ["key_added", "key_revoked"]
    assert token not in trail.out
    assert "chain holds" in trail.err


def test_what_can_not_be_is_refused(capsys):
    assert "not revoked" in " ".join(said(capsys, "revoke", "nobody", status=2).err.split())


def test_the_workspace_is_meant_wherever_it_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("LESIONFLOW_STATE_DIR")
    said(capsys, "list", status=2)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "dvc.yaml").write_text("stages: {}\n")
    said(capsys, "add", "a", "--scope", "read", "--workdir", str(workspace))
    assert "a  read" in said(capsys, "list", "--workdir", str(workspace)).out
    assert main(["serve", "--workdir", str(workspace), "keys", "list"]) == 0
    assert "a  read" in capsys.readouterr().out
