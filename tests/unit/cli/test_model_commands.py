"""`models` and `serve` as a user calls them, on a store of two versions."""

import subprocess
import sys
from pathlib import Path

import pytest

from lesionflow.cli import main
from support.stores import empty_store

NAME = "lesionflow-knees"
pytestmark = pytest.mark.usefixtures("here")


def test_an_empty_store_says_so(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path))
    assert main(["models", "list"]) == 0
    assert "No model is registered" in capsys.readouterr().out
    assert main(["models", "show", "champion"]) == 2
    assert "found none: no run has registered one there yet. `lesionflow run`" in " ".join(
        capsys.readouterr().err.split()
    )


def serve_with(program: Path, *words: str, folder: Path | None = None) -> tuple[int, int]:
    """Say `serve` in a process where that program stands for Python; return its exit code and number."""
    say = "import sys; from lesionflow.cli import main; sys.executable = sys.argv[1]; sys.exit(main(['serve', *sys.argv[2:]]))"
    with subprocess.Popen([sys.executable, "-c", say, str(program), *words], cwd=folder) as process:
        return process.wait(120), process.pid


def test_serving_becomes_the_service_with_the_model_that_is_meant(store, monkeypatch, tmp_path) -> None:
    # The service itself has tests of its own; here a program stands in that writes down how it was called.
    monkeypatch.delenv("LESIONFLOW_STATE_DIR", raising=False)
    folder, uri = store
    called, facts = folder / "called.txt", folder / "facts.txt"
    program = folder / "program.sh"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {called}\necho $$ $MLFLOW_TRACKING_URI $LESIONFLOW_STATE_DIR > {facts}\nexit 7\n'
    )
    program.chmod(0o755)
    status, pid = serve_with(program, "--port", "3123")
    # The same process: as the first of a container it would otherwise swallow the signal that ends the service.
    # Everybody on the machine can read a command's words, and a store's address may hold a password.
    assert (status, facts.read_text().split()) == (7, [str(pid), uri])
    started = ["-m", "lesionflow.serving", "--host", "127.0.0.1", "--port", "3123"]
    expected = [*started, "--model", "champion", "--model-name", NAME]
    assert called.read_text().split() == expected
    assert serve_with(program, "--model", str(folder / "bundle1"))[0] == 7
    assert "--model-name" not in called.read_text().split()
    assert serve_with(program, "--check")[0] == 7
    assert called.read_text().split()[-1] == "--check"
    # In a workspace accepted studies are kept in it, unless somewhere else is named.
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    _, pid = serve_with(program, "--model", "1", folder=tmp_path)
    assert facts.read_text().split() == [str(pid), uri, str(tmp_path / "service")]
    monkeypatch.setenv("LESIONFLOW_STATE_DIR", "/elsewhere")
    _, pid = serve_with(program, "--model", "1", folder=tmp_path)
    assert facts.read_text().split() == [str(pid), uri, "/elsewhere"]


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["show", "champion"],
        ["diff", "1", "2"],
        ["history"],
        ["verify"],
        ["promote", "1", "--name", "A. Smith", "--reason", "why"],
        ["rollback", "--name", "A. Smith", "--reason", "why"],
        ["lift", "1", "--name", "A. Smith", "--reason", "why"],
    ],
)
def test_who_only_reads_makes_no_store_where_there_is_none(tmp_path, monkeypatch, capsys, command) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert main(["models", *command]) == 6
    assert "found no such file. Name the workspace" in capsys.readouterr().err
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "command", [["promote", "1"], ["lift", "1"], ["rollback"], ["promote", "1", "--name", "A. Smith"]]
)
def test_who_and_why_are_asked_for(capsys, command) -> None:
    with pytest.raises(SystemExit):
        main(["models", *command])
    assert "--reason" in capsys.readouterr().err


def test_a_model_that_is_misspelt_is_offered(capsys) -> None:
    assert main(["models", "list", "--model-name", "lesionflow-kneez"]) == 2
    assert f"Did you mean {NAME}?" in capsys.readouterr().err
