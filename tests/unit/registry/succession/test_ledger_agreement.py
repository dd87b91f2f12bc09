"""What is asked for against what the ledger says, before it serves."""

import pytest

from lesionflow.data.ledger import EntryKind
from lesionflow.errors import ArtifactError
from lesionflow.io.stores.ledger import append_entry, read_ledger
from lesionflow.registry.succession import carry_out, hold_against_ledger, promote_by_hand, roll_back
from lesionflow.registry.versions import require_version, set_alias

NAME = "lesionflow-knees"


def held(uri, ledger, asked="champion"):
    return hold_against_ledger(require_version(NAME, asked, uri), asked, read_ledger(ledger))


def test_an_alias_that_leads_elsewhere_is_refused_and_a_number_is_taken_as_meant(uri, ledger):
    set_alias(NAME, "champion", "1", uri)
    assert held(uri, ledger) == (), "a ledger that knows of no champion holds nothing against one"
    carry_out(NAME, "2", "1", {"promote": True}, ledger, uri)
    assert held(uri, ledger) == ()
    set_alias(NAME, "champion", "3", uri)
    with pytest.raises(ArtifactError, match=r"Expected version 2 to be champion of .*, found version 3") as refused:
        held(uri, ledger)
    assert held(uri, ledger, "3") == ()
    # What it says helps, helps: by name it stands, and the ledger says by whose.
    assert "the same with 3 lets that one stand" in str(refused.value)
    promote_by_hand(NAME, "3", name="A. Smith", reason="asked for", ledger=ledger, tracking_uri=uri)
    assert held(uri, ledger) == ()
    assert [entry.facts.get("name") for entry in read_ledger(ledger) if entry.kind is EntryKind.DECISION][
        -1
    ] == "A. Smith"
    n_entries = len(read_ledger(ledger))
    assert promote_by_hand(NAME, "3", name="B", reason="once more", ledger=ledger, tracking_uri=uri) == ("3", "3")
    assert len(read_ledger(ledger)) == n_entries


def test_a_bar_and_a_change_that_is_not_ended_are_said_aloud(uri, ledger):
    carry_out(NAME, "1", None, {"promote": True}, ledger, uri)
    carry_out(NAME, "2", "1", {"promote": True}, ledger, uri)
    roll_back(NAME, ledger, uri, name="A. Smith", reason="misses small tumors")
    assert held(uri, ledger) == ()
    (said,) = held(uri, ledger, "2")
    assert "version 2, barred on" in said
    assert "misses small tumors" in said
    append_entry(ledger, EntryKind.ROLLBACK, {"model_name": NAME, "version": "2", "before": "1"})
    said = held(uri, ledger)
    assert "from version 1 to 2 was begun on" in said[0]
    assert "barred" in said[1]


def test_a_digest_that_was_exchanged_in_mlflow_is_told_by_the_ledger(uri, ledger):
    carry_out(NAME, "1", None, {"promote": True}, ledger, uri)
    version = require_version(NAME, "champion", uri)._replace(bundle_digest="f" * 64)
    with pytest.raises(ArtifactError, match="exchanged together"):
        hold_against_ledger(version, "champion", read_ledger(ledger))
