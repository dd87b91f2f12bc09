"""`models` and `serve` as a user calls them, on a store of two versions."""

import sys

import pytest

from lesionflow.cli import main
from support.stores import empty_store

NAME = "lesionflow-knees"
pytestmark = pytest.mark.usefixtures("here")


def test_champions_are_made_and_taken_back_by_hand(store, capsys) -> None:
    assert main(["models", "promote", "1"]) == 0
    assert "champion was none, is 1. No gate was asked." in capsys.readouterr().out
    assert main(["models", "promote", "challenger"]) == 0
    assert "champion was 1, is 2" in capsys.readouterr().out
    assert main(["models", "rollback"]) == 0
    assert "champion was 2, is 1" in capsys.readouterr().out
    assert main(["models", "list", "--model-name", NAME]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    versions = {row[1]: row[2] for row in rows if row[:1] == [NAME]}
    assert (set(versions), versions["1"]) == ({"1", "2"}, "champion")
    assert main(["models", "show", "9"]) == 5
    assert "Expected a version '9'" in capsys.readouterr().err


def test_an_empty_store_says_so(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path))
    assert main(["models", "list"]) == 0
    assert "No model is registered" in capsys.readouterr().out
    assert main(["models", "show", "champion"]) == 2
    assert "found none. Name it with --model-name" in " ".join(capsys.readouterr().err.split())


def test_serving_starts_the_service_with_the_model_that_is_meant(store, monkeypatch) -> None:
    # The service itself has tests of its own; here a program stands in that writes down how it was called.
    folder, uri = store
    called = folder / "called.json"
    program = folder / "program.sh"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {called}\nexit 7\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    assert main(["serve", "--port", "3123"]) == 7
    expected = [
        "-m",
        "lesionflow.serving",
        "--host",
        "127.0.0.1",
        "--port",
        "3123",
        "--model",
        "champion",
        "--tracking-uri",
        uri,
    ]
    assert called.read_text().split() == [*expected, "--model-name", NAME]
    assert main(["serve", "--model", str(folder / "bundle1")]) == 7
    assert "--model-name" not in called.read_text().split()


@pytest.mark.parametrize("command", [["list"], ["show", "champion"], ["promote", "1"], ["rollback"]])
def test_who_only_reads_makes_no_store_where_there_is_none(tmp_path, monkeypatch, capsys, command) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert main(["models", *command]) == 6
    assert "found no such file. Name the workspace" in capsys.readouterr().err
    assert set(tmp_path.iterdir()) == before


def test_a_model_that_is_misspelt_is_offered(capsys) -> None:
    assert main(["models", "list", "--model-name", "lesionflow-kneez"]) == 2
    assert f"Did you mean {NAME}?" in capsys.readouterr().err
