"""`lesionflow models import-nnunet`, as typed: a bundle, evaluated, registered and judged against a champion."""

import json

import pytest

from lesionflow.cli import main
from lesionflow.io.stores.ledger import ledger_path, read_ledger
from support.foreign_challenge import NAME, foreign_challenge
from support.nnunet import write_model_folder, write_program


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return foreign_challenge(tmp_path_factory.mktemp("nnunet") / "work")


@pytest.fixture
def work(made, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.uri)
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")
    monkeypatch.setenv("LESIONFLOW_NNUNET_PYTHON", str(write_program(tmp_path)))
    return made.folder


def test_without_a_statement_it_is_said_that_the_gate_will_refuse(work, tmp_path, capsys):
    model = write_model_folder(tmp_path / "m")
    assert main(["models", "import-nnunet", str(model), "--workdir", str(work), "--only-import"]) == 0
    assert "State it by --trained-on FILE" in capsys.readouterr().out
    (tmp_path / "stated.json").write_text(json.dumps(["c-000000"]))
    arguments = ["--trained-on", str(tmp_path / "stated.json"), "--folds", "0", "--only-import"]
    assert main(["models", "import-nnunet", str(model), "--workdir", str(work), *arguments]) == 0
    assert "Learned from 1 cases of this workspace and 0 of other names (stated)" in capsys.readouterr().out


def test_it_is_evaluated_registered_and_judged_against_the_champion_as_any_model(work, tmp_path, capsys):
    """The program finds every box: Dice 1 against 0 in each of ten patients, by chance once in 1024 times."""
    model = write_model_folder(tmp_path / "m", validated=("c-000000", "c-000001"))
    assert main(["models", "import-nnunet", str(model), "--workdir", str(work)]) == 0
    said = capsys.readouterr().out
    assert "Learned from 2 cases of this workspace and 0 of other names (recorded)" in said
    assert "evaluate: " in said
    assert "Superior" in said
    decision = json.loads((work / "reports/nnunet/promotion.json").read_text())
    assert (decision["verdict"], decision["champion_version_before"], decision["champion_version_after"]) == (
        "superior",
        "1",
        "2",
    )
    assert (decision["figures"]["gain"], decision["figures"]["p"]) == (1.0, 2.0**-10)
    page = (work / "reports/nnunet/decision.html").read_text()
    assert "Changed against the champion: " in page
    assert "architecture" in page
    reads = [entry.facts for entry in read_ledger(ledger_path(work / "data/splits.json")) if entry.kind == "test_read"]
    assert [one["step"] for one in reads] == ["evaluate", "promote", "promote"]
    assert (
        reads[0]["bundle_digest"] == reads[1]["bundle_digest"] == decision["bundle_digest"] != reads[2]["bundle_digest"]
    )
    assert main(["models", "list", "--workdir", str(work)]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.split()[:2] == [NAME, "2"]]
    assert "champion" in line
    # The verdict alone: its reasons have a page of their own.
    assert " superior " in line
    assert "suffices" not in line
