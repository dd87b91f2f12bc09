"""`ui` says where to begin and starts MLflow's own server on the store that is meant."""

import sys

from lesionflow.cli import main
from lesionflow.registry.tracking import Tracker
from support.stores import empty_store


def test_it_names_the_page_with_the_runs_and_starts_the_server_on_the_store(tmp_path, monkeypatch, capfd):
    uri = empty_store(tmp_path / "store")
    Tracker(uri, "knees").share_view(metrics=["test/dice"], params=[])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    program = tmp_path / "program.sh"
    program.write_text('#!/bin/sh\necho "$@, of $MLFLOW_BACKEND_STORE_URI"\nexit 7\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    assert main(["ui", "--port", "5123"]) == 7
    said = capfd.readouterr().out
    assert "Open http://127.0.0.1:5123/#/experiments/1/runs?workflowType=machine_learning" in said
    assert f"-m mlflow ui --host 127.0.0.1 --port 5123 --workers 1, of {uri}" in said


def test_a_server_shows_its_own_pages_and_its_password_is_not_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:s3cret@mlflow.example.org/team/")
    monkeypatch.setattr("lesionflow.registry.pages.start_page.first_page", lambda _: "#/experiments/4")
    assert main(["ui"]) == 0
    said = capsys.readouterr().out
    assert "Open https://mlflow.example.org/team/#/experiments/4: the server has its own pages." in said
    assert "s3cret" not in said


def test_a_store_that_is_not_there_is_not_made(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.chdir(tmp_path)
    assert main(["ui"]) == 6
    assert "found no such file" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
