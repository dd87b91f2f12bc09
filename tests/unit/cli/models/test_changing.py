"""Champions made and taken back by hand, as a user does it."""

import json

import pytest

from lesionflow.cli import main

NAME = "lesionflow-knees"
BY = ["--name", "A. Smith", "--reason", "the trial needs it"]


@pytest.mark.usefixtures("workspace")
def test_champions_are_made_and_taken_back_by_hand_and_all_of_it_is_told(capsys) -> None:
    assert main(["models", "promote", "1", *BY]) == 0
    assert "champion was none, is 1. No gate was asked: ledger.jsonl says that A. Smith" in capsys.readouterr().out
    assert main(["models", "promote", "challenger", *BY]) == 0
    assert "champion was 1, is 3" in capsys.readouterr().out
    assert main(["models", "promote", "3", *BY]) == 0
    assert "is the champion already" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["models", "rollback", "--reason", "misses small tumors"])
    assert "--name" in capsys.readouterr().err
    assert main(["models", "rollback", "--name", "A. Smith", "--reason", "misses small tumors"]) == 0
    told = capsys.readouterr().out
    assert "champion was 3, is 1. Version 3 stays barred" in told
    assert "Commit data/ledger.jsonl" in told
    assert main(["models", "promote", "3", *BY]) == 5
    assert "barred on" in capsys.readouterr().err
    assert main(["models", "history"]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows[1:4]] == ["1", "3", "1"]
    assert "the trial needs it" in out
    assert "version 3 is barred since" in out
    assert out.count("misses small tumors") == 2
    assert main(["models", "list"]) == 0
    (listed,) = [line for line in capsys.readouterr().out.splitlines() if line.split()[1:2] == ["3"]]
    assert "BARRED since 20" in listed
    assert main(["models", "show", "3"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [event["kind"] for event in shown["history"]] == ["promoted by hand", "rolled back"]
    assert shown["history"][1]["what"] == "rolled back to version 1, and barred"
    assert (shown["history"][1]["name"], shown["history"][1]["reason"]) == ("A. Smith", "misses small tumors")
    assert shown["barred"] is True
    assert main(["models", "lift", "3", *BY]) == 0
    assert "version 3 may become champion again" in capsys.readouterr().out
    assert main(["models", "history"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "was lifted" in line]
    assert "version 3 may become champion again: the bar of 20" in line
    assert "(rollback: misses small tumors) was lifted by A. Smith: the trial needs it" in line
    assert main(["models", "show", "3"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["barred"], shown["history"][-1]["kind"]) == (False, "lifted")
    assert main(["models", "list", "--model-name", NAME]) == 0
    listed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {row[1]: row[2] for row in listed if row[:1] == [NAME]}["1"] == "champion"


def test_a_change_wants_a_workspace_for_its_ledger(workspace, monkeypatch, capsys) -> None:
    monkeypatch.chdir(workspace.parent)
    assert main(["models", "promote", "1", *BY]) == 2
    assert "Expected a workspace" in capsys.readouterr().err
    assert main(["models", "promote", "1", *BY, "--workdir", str(workspace)]) == 0
    assert (workspace / "data" / "ledger.jsonl").exists()
