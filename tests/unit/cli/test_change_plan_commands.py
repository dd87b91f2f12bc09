"""`lesionflow change-plan`: made, shown, checked, written as a document."""

import shutil

import pytest

from lesionflow.cli import main
from lesionflow.config.change_plan import read_change_plan
from lesionflow.config.presets import PRESETS
from lesionflow.data.ledger import EntryKind
from lesionflow.io.stores.ledger import append_entry
from support.decisions import decision

NAME = "lesionflow-phantom-ct"


@pytest.fixture
def work(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    shutil.copyfile(PRESETS / "phantom_ct.yaml", tmp_path / "params.yaml")
    return tmp_path


def _call(work, *words):
    return main(["change-plan", *words, "--workdir", str(work)])


def _decide(work, **changes):
    facts = decision(model_name=NAME, **changes).model_dump(mode="json")
    append_entry(work / "data" / "ledger.jsonl", EntryKind.DECISION, facts)


def test_a_workspace_without_one_is_told_the_command_that_makes_it(work, capsys):
    assert _call(work, "show") == 2
    assert "lesionflow change-plan make --workdir" in capsys.readouterr().err
    assert _call(work, "make") == 0
    assert "that of the preset phantom_ct" in capsys.readouterr().out
    assert _call(work, "make") == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert _call(work, "show") == 0
    said = capsys.readouterr().out
    assert "| Dice of each target | shown to be better than the champion's |" in said
    assert f"# Change plan of {NAME}" in said


def test_check_says_whether_it_fits_and_whether_its_number_was_raised(work, capsys):
    _call(work, "make")
    plan = read_change_plan(work / "change_plan.yaml")
    _decide(work, change_plan_version=plan.version, change_plan_sha256=plan.digest)
    assert _call(work, "check") == 0
    path = work / "change_plan.yaml"
    path.write_text(path.read_text().replace("alpha: 0.05", "alpha: 0.2"))
    capsys.readouterr()
    assert _call(work, "check") == 1
    assert "raise `version`" in capsys.readouterr().out
    path.write_text(path.read_text().replace(f"\nversion: {plan.version}\n", f"\nversion: {plan.version + 1}\n"))
    assert _call(work, "check") == 0
    path.write_text(path.read_text().replace("target: all", "target: tumour", 1))
    assert _call(work, "check") == 2
    assert "Did you mean tumor?" in capsys.readouterr().err


def test_the_document_holds_plan_and_decisions_in_both_forms(work, capsys):
    _call(work, "make")
    _decide(work)
    append_entry(
        work / "data" / "ledger.jsonl",
        EntryKind.DECISION,
        {"model_name": NAME, "version": "4", "by": "hand", "name": "R. Knee"},
    )
    assert _call(work, "document") == 0
    assert str(work / "reports" / "change_plan.html") in capsys.readouterr().out
    for ending in ("html", "md"):
        text = (work / "reports" / f"change_plan.{ending}").read_text()
        assert "Impact assessment" in text
        assert "by the gate: refused" in text
        assert "R. Knee" in text
    assert main(["change-plan", "document", "--workdir", str(work), "--out", str(work / "filed" / "plan")]) == 0
    assert (work / "filed" / "plan.md").exists()
