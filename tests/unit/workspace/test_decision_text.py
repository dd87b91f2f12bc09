"""The last lines of a run."""

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
