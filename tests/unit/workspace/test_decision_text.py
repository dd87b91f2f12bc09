"""The last lines of a run."""

from lesionflow.data.ledger import EntryKind
from lesionflow.io.stores.ledger import append_entry
from lesionflow.io.stores.promotions import write_decision
from lesionflow.workspace.decision_text import decision_text
from support.decisions import decision


def test_a_decision_is_said_with_where_all_of_it_stands(tmp_path):
    write_decision(tmp_path / "promotion.json", decision())
    said = decision_text(tmp_path / "promotion.json")
    assert "Decision: Refused. Version 1 stays champion" in said
    assert said.rstrip().endswith(str(tmp_path / "decision.html"))


def test_nothing_is_said_where_there_is_none_or_an_older_one(tmp_path):
    assert decision_text(tmp_path / "promotion.json") == ""
    (tmp_path / "promotion.json").write_text("{}")
    assert decision_text(tmp_path / "promotion.json") == ""


def test_a_champion_that_stays_though_it_is_barred_is_told(tmp_path):
    """Who reads the last lines alone must not think that all is well: the old one serves, and nobody trusts it."""
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "reports").mkdir()
    promotion = tmp_path / "reports" / "promotion.json"
    write_decision(promotion, decision())
    assert "barred" not in decision_text(promotion)
    facts = {"patient": "t1", "learned": ["lesionflow-knees version 1: trained on it"]}
    append_entry(tmp_path / "data" / "ledger.jsonl", EntryKind.WITHDRAWAL, facts)
    said = decision_text(promotion)
    assert "The champion that stays is barred: version 1, barred on 20" in said
    assert "`lesionflow models rollback --name NAME --reason REASON` goes to the one before it." in said
    # One that takes its place is not.
    write_decision(promotion, decision(promote=True, verdict="superior", champion_version_after="2"))
    assert "barred" not in decision_text(promotion)
