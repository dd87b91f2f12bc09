"""What became of a version, on its page in MLflow as mlflow's own client reads it."""

import mlflow
import pytest

from lesionflow.errors import ServiceError
from lesionflow.registry.pages.descriptions import describe_version
from lesionflow.registry.succession import carry_out, lift, promote_by_hand, roll_back, told_pages
from lesionflow.registry.versions import find_version

NAME = "lesionflow-knees"
BY = {"name": "A. Smith", "reason": "misses <small> tumors"}


def page(uri, version):
    there = mlflow.MlflowClient(uri).get_model_version(NAME, version)
    return there.description or "", there.tags.get("barred")


@pytest.fixture
def second(uri, ledger):
    """The gate made 1 and 2 champion; the page of 2 says so."""
    for version, before in (("1", None), ("2", "1")):
        carry_out(NAME, version, before, {"promote": True}, ledger, uri)
    describe_version(NAME, "2", "decision", "**Superior.** Version 2 is the champion now.", uri)
    return uri


def test_who_was_rolled_back_says_so_before_the_decision_that_made_it_champion(second, ledger):
    assert page(second, "2")[0].startswith("**Superior.**")
    roll_back(NAME, ledger, second, **BY)
    text, tag = page(second, "2")
    assert text.startswith("**Barred since 20"), "MLflow's table of versions shows the first characters"
    assert text.index("**Barred since 20") < text.index("rolled back to version 1, and barred") < text.index("Superior")
    assert "(A. Smith: misses &lt;small&gt; tumors)" in text
    assert tag.startswith("since 20")
    assert "rollback: misses" in tag
    # A decision that is written again comes below what became of the version since.
    describe_version(NAME, "2", "decision", "**Superior.** Anew.", second)
    lift(NAME, "2", **BY, ledger=ledger, tracking_uri=second)
    text, tag = page(second, "2")
    assert tag is None
    assert text.index("**Now: may become champion again: the bar of 20") < text.index("Anew")
    assert text.count("lesionflow:record -->") == 2
    assert "**Barred" not in text
    assert "champion again, by a rollback from version 2" in page(second, "1")[0]
    assert page(second, "3") == ("", None)


def test_a_promotion_by_hand_is_told_at_both(second, ledger):
    promote_by_hand(NAME, "3", **BY, ledger=ledger, tracking_uri=second)
    assert "made champion by hand, past the gate, in place of version 2 (A. Smith" in page(second, "3")[0]
    assert "**Now: replaced as champion by version 3.**" in page(second, "2")[0]


def test_a_store_that_refuses_is_warned_of_and_stops_nothing(second, ledger, monkeypatch, caplog):
    def refuse(*_):
        raise ServiceError("Expected a store, found none.")

    monkeypatch.setattr(told_pages, "show_records", refuse)
    assert roll_back(NAME, ledger, second, **BY) == ("2", "1")
    assert find_version(NAME, "champion", second).version == "1"
    assert "is not told on their pages in MLflow: Expected a store" in caplog.text
    monkeypatch.undo()
    lift(NAME, "2", **BY, ledger=ledger, tracking_uri=second)
    assert "rolled back to version 1" in page(second, "2")[0]
