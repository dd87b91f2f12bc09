from dataclasses import replace

import pytest

from lesionflow.cli import main
from lesionflow.cli.models.checking import check_golden_of
from lesionflow.config import Settings
from lesionflow.inference.golden import make_golden
from lesionflow.io.stores.bundles import write_bundle
from support.bundles import threshold_bundle

BY = ["--name", "A. Smith", "--reason", "the trial needs it"]


def test_versions_are_compared_and_verified(workspace, capsys) -> None:
    assert main(["models", "promote", "1", *BY]) == 0
    capsys.readouterr()
    assert main(["models", "diff", "champion", "2"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["version", "1", "version", "2"]
    assert ["params", "seed", "1", "2"] in rows
    assert main(["models", "diff", "2", "2"]) == 0
    assert "differ in nothing" in capsys.readouterr().out
    assert main(["models", "verify", "1"]) == 0
    said = capsys.readouterr().out
    assert "held      version 1: every byte of bundle" in said
    assert "held      ledger: 2 entries" in said
    ledger = workspace / "data" / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace("A. Smith", "B. Jones"))
    assert main(["models", "verify", "1"]) == 5
    told = capsys.readouterr()
    assert "NOT HELD  ledger: Expected line 1 of ledger.jsonl as it was written" in told.out
    assert "found 1 that are not: ledger" in told.err


def test_golden_cases_are_asked_of_a_version_that_carries_them(tmp_path) -> None:
    bundle = threshold_bundle(40.0, 0)
    write_bundle(tmp_path / "old", bundle)
    write_bundle(tmp_path / "new", replace(bundle, golden=make_golden(bundle)))
    settings = Settings(device="cpu")
    assert "carries no golden cases" in check_golden_of("knees", str(tmp_path / "old"), settings)
    said = check_golden_of("knees", str(tmp_path / "new"), settings)
    assert said.startswith("held")
    assert "2 golden cases answered by pytorch on cpu" in said


def test_bytes_are_verified_where_there_is_no_workspace(workspace, monkeypatch, capsys) -> None:
    monkeypatch.chdir(workspace.parent)
    assert main(["models", "verify", "challenger"]) == 0
    assert "no workspace here" in capsys.readouterr().out


@pytest.mark.usefixtures("workspace")
def test_a_version_that_is_not_there_is_named(capsys) -> None:
    assert main(["models", "verify", "9"]) == 5
    assert "'9'" in capsys.readouterr().err
