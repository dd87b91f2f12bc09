"""The decision on the pages where people look for it; what MLflow refuses stops nothing."""

import json

import pytest

from lesionflow.config import Settings
from lesionflow.errors import ServiceError
from lesionflow.steps.promote import decision_records
from support.change_plans import change_plan
from support.decisions import decision


def test_a_decision_is_kept_for_programs_and_for_people(tmp_path):
    outputs = {"promotion": tmp_path / "promotion.json", "decision": tmp_path / "decision.html"}
    decision_records.keep_decision(outputs, decision())
    kept = json.loads(outputs["promotion"].read_text())
    # What older programs read stands where it stood.
    older = {
        "promote",
        "reasons",
        "against_champion",
        "model_name",
        "challenger_version",
        "champion_version_before",
        "champion_version_after",
    }
    assert older <= set(kept)
    assert kept["reasons"][0]["figures"] == {"gain": 0.01}
    assert "Version 1 stays champion" in outputs["decision"].read_text()


def test_a_store_that_refuses_now_is_warned_of(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise ServiceError("Expected MLflow, found nobody.")

    monkeypatch.setattr(decision_records, "tag_version", refuse)
    decision_records.show_decision(decision(), {}, change_plan(), {"cases": tmp_path}, Settings(device="cpu"))
    assert "the decision stands, but is not shown in MLflow: Expected MLflow" in caplog.text


@pytest.mark.parametrize("promote", [True, False])
def test_a_versions_tags_tell_what_was_decided(promote, monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr(decision_records, "tag_version", lambda _name, _version, tags, _uri: seen.update(tags))
    monkeypatch.setattr(decision_records, "describe_version", lambda *_: None)
    monkeypatch.setattr(decision_records, "_show_at_run", lambda *_: None)
    decision_records.show_decision(
        decision(promote=promote), {}, change_plan(), {"cases": tmp_path}, Settings(device="cpu")
    )
    assert seen["promotion"] == ("promoted" if promote else "refused: floor:tumor:dice, better_than_champion")
    # A row of MLflow's table of versions shows all tags: the rules, thirty at times, are no tags there.
    assert set(seen) <= {"promotion", "promotion.verdict", "promotion.change_plan_sha256", "against_champion"}
