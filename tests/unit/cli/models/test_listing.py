import json

import pytest

from lesionflow.cli import main
from lesionflow.config import Settings
from lesionflow.data.ledger import EntryKind
from lesionflow.io.stores.ledger import append_entry
from lesionflow.registry.tracking import Tracker
from lesionflow.registry.versions import require_version, tag_version

NAME = "lesionflow-knees"


@pytest.mark.usefixtures("workspace")
def test_a_version_is_shown_and_one_that_is_not_there_named(capsys) -> None:
    assert main(["models", "show", "challenger"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["version"], shown["aliases"]) == ("3", ["challenger"])
    assert main(["models", "show", "9"]) == 5
    assert "Expected a version '9'" in capsys.readouterr().err


def test_history_tells_refusals_and_what_is_not_ended(workspace, capsys) -> None:
    assert main(["models", "history"]) == 0
    assert f"The ledger knows of no champion of {NAME}." in capsys.readouterr().out
    ledger = workspace / "data" / "ledger.jsonl"
    reasons = [{"rule": "gain", "held": False, "detail": "not better: 0.01 [-0.02, 0.04]"}, {"rule": "n", "held": True}]
    facts = {
        "model_name": NAME,
        "version": "2",
        "before": "1",
        "promote": False,
        "verdict": "cant_tell",
        "reasons": reasons,
    }
    append_entry(ledger, EntryKind.DECISION, facts)
    append_entry(ledger, EntryKind.DECISION, {"model_name": NAME, "version": "3", "before": "1", "promote": True})
    assert main(["models", "history"]) == 0
    out = capsys.readouterr().out
    assert "version 2 did not become champion: cant_tell (gain)" in out
    assert "not better" not in out
    assert "`lesionflow models show VERSION`" in out
    assert "entry 2 of" in out
    assert "version 3 was to become champion" in out


def test_of_many_reasons_two_are_named_by_list_and_history(workspace, capsys) -> None:
    rules = [("floor", False), ("gain", False), ("group:sex M", True), ("no_creep", False)]
    reasons = [{"rule": rule, "held": False, "detail": "much " * 90, "refuses": refuses} for rule, refuses in rules]
    facts = {"model_name": NAME, "version": "3", "promote": False, "verdict": "refused", "reasons": reasons}
    append_entry(workspace / "data" / "ledger.jsonl", EntryKind.DECISION, facts)
    tags = {
        "promotion": "refused: group:sex M, floor, gain, no_creep",
        "promotion.verdict": "refused",
        "against_champion": "much " * 90,
    }
    tag_version(NAME, "3", tags, Settings().tracking_uri)
    run_id = require_version(NAME, "3", Settings().tracking_uri).run_id
    rules = {"promotion.floor.tumor.dice": "not held: Mean Dice 0.1.", "promotion": "refused: floor:tumor:dice"}
    Tracker(Settings().tracking_uri, "knees").set_tags(run_id, rules)
    for action in ("list", "history"):
        assert main(["models", action]) == 0
        out = capsys.readouterr().out
        assert "refused (group:sex M, floor and 2 more)" in out
        assert "much" not in out
        assert "All reasons: `lesionflow models show VERSION`." in out
    assert main(["models", "show", "3"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["tags"]["against_champion"].startswith("much")
    assert shown["rules"] == {"floor.tumor.dice": "not held: Mean Dice 0.1."}
