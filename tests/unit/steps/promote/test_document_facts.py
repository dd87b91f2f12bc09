"""What the ledger says for the change plan's document."""

from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS
from lesionflow.data.ledger import EntryKind
from lesionflow.io.stores.ledger import append_entry, ledger_path
from lesionflow.steps.promote.document_facts import decisions_of, decisions_taken, surroundings
from support.change_plans import change_plan
from support.decisions import decision
from support.promotions import NAME, PromotionWorkspace

PARAMS = load_params(PRESETS / "phantom_ct.yaml")
PARAMS["promote"]["model_name"] = NAME


def test_decisions_champion_and_looks_are_those_of_the_ledger(tmp_path, monkeypatch):
    workspace = PromotionWorkspace(tmp_path, monkeypatch)
    workspace.dice = {"1": 0.7, "2": 0.9}
    splits, cases = tmp_path / "splits.json", tmp_path / "cases"
    before = surroundings(change_plan(), PARAMS, tmp_path / "none.json", cases)
    assert (before.champion, before.first_authorized, before.n_test_patients) == ("", "", None)
    workspace.promote("1")
    workspace.promote("2")
    assert [one.challenger_version for one in decisions_of(splits, NAME)] == ["1", "2"]
    assert decisions_of(splits, "another") == ()
    about = surroundings(change_plan(), PARAMS, splits, cases)
    assert (about.champion, about.first_authorized, about.n_test_patients) == ("2", "1", 16)
    assert surroundings(change_plan(first_authorized_version="2"), PARAMS, splits, cases).first_authorized == "2"


def test_rollbacks_promotions_by_hand_and_lifts_stand_between_the_gates_decisions(tmp_path):
    ledger = ledger_path(tmp_path / "splits.json")

    def note(kind, version, before=None, **facts):
        return append_entry(ledger, kind, {"model_name": NAME, "version": version, "before": before, **facts})

    def carry_out(entry):
        note(EntryKind.CHAMPION, entry.facts["version"], entry.facts["before"], of=entry.sha256)

    smith = {"name": "A. Smith", "reason": "the trial needs it"}
    note(EntryKind.CHAMPION, "1", by="found", detail="It was champion in MLflow, by no decision of this ledger.")
    carry_out(note(EntryKind.DECISION, "2", "1", promote=True, by="hand", **smith))
    carry_out(note(EntryKind.ROLLBACK, "1", "2", name="", reason="misses small tumors"))
    note(EntryKind.LIFTED, "2", name="B. Jones", reason="was the scanner")
    gate = decision(model_name=NAME, challenger_version="3").model_dump(mode="json")
    note(EntryKind.DECISION, "3", "1", **{key: value for key, value in gate.items() if key != "model_name"})
    begun = note(EntryKind.DECISION, "2", "1", promote=True, by="hand", **smith)
    note(EntryKind.UNDONE, "2", of=begun.sha256, detail="It was barred meanwhile.")
    note(EntryKind.DECISION, "4", "1", promote=True, by="hand", **smith)
    append_entry(ledger, EntryKind.TEST_READ, {"model_name": NAME})
    append_entry(ledger, EntryKind.LIFTED, {"model_name": "another", "version": "9"})
    taken = decisions_taken(tmp_path / "splits.json", NAME)
    assert [(one.version, one.before, one.decision, one.outcome, one.by, one.why) for one in taken] == [
        ("1", "", "found as champion", "is champion by no decision of this ledger", "not known",
         "It was champion in MLflow, by no decision of this ledger."),
        ("2", "1", "promotion by hand", "became champion", "A. Smith", "the trial needs it"),
        ("1", "2", "rollback", "became champion; version 2 is barred", "nobody named", "misses small tumors"),
        ("2", "", "bar lifted", "may become champion again", "B. Jones", "was the scanner"),
        ("3", "1", "by the gate: refused", "did not become champion", "the gate", "Too low. A gain of +0.01 is not shown."),
        ("2", "1", "promotion by hand", "not carried out", "A. Smith", "the trial needs it"),
        ("2", "", "a change is undone", "did not become champion", "lesionflow", "It was barred meanwhile."),
        ("4", "1", "promotion by hand", "begun, not ended", "A. Smith", "the trial needs it"),
    ]  # fmt: skip
