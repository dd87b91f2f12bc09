import mlflow
import pytest

from lesionflow.data.ledger import EntryKind
from lesionflow.errors import ArtifactError, ServiceError
from lesionflow.io.stores.ledger import append_entry, read_ledger
from lesionflow.registry.succession import carry_out, current_champion, promote_by_hand, roll_back, settle
from lesionflow.registry.versions import set_alias
from support.champions import FACTS, NAME, aliases, refusing


def test_what_was_begun_is_undone_where_its_version_is_gone_or_barred_or_its_champion_replaced(
    uri, ledger, monkeypatch
):
    carry_out(NAME, "1", None, FACTS, ledger, uri)

    def begin(version):
        with monkeypatch.context() as patch:
            refusing(patch, "champion")
            with pytest.raises(ServiceError):
                carry_out(NAME, version, "1", FACTS, ledger, uri)

    begin("2")
    append_entry(ledger, EntryKind.BARRED, {"model_name": NAME, "version": "2", "reason": "a patient withdrew"})
    (undone,) = settle(NAME, ledger, uri)
    assert "barred meanwhile" in undone.facts["detail"]
    begin("3")
    mlflow.MlflowClient(uri).delete_model_version(NAME, "3")
    (undone,) = settle(NAME, ledger, uri)
    assert (undone.kind, aliases(uri)["1"]) == (EntryKind.UNDONE, {"champion"})
    assert "found none" in undone.facts["detail"]


def test_a_champion_that_was_deleted_in_mlflow_is_missed_and_nobody_is_called_the_first(uri, ledger):
    carry_out(NAME, "1", None, FACTS, ledger, uri)
    carry_out(NAME, "2", "1", FACTS, ledger, uri)
    mlflow.MlflowClient(uri).delete_model_version(NAME, "2")
    with pytest.raises(
        ArtifactError, match=r"Expected version 2 .* the champion by the ledger.*found that it was deleted"
    ):
        current_champion(NAME, ledger, uri)
    with pytest.raises(ArtifactError, match="Nothing is called the first champion"):
        carry_out(NAME, "3", None, FACTS, ledger, uri)
    assert aliases(uri) == {"3": set(), "1": {"previous"}}


def test_an_alias_that_was_taken_away_is_missed_and_its_return_is_offered(uri, ledger):
    carry_out(NAME, "1", None, FACTS, ledger, uri)
    mlflow.MlflowClient(uri).delete_registered_model_alias(NAME, "champion")
    with pytest.raises(ArtifactError, match=r"models promote 1 --name NAME --reason REASON` puts it back"):
        current_champion(NAME, ledger, uri)


def test_a_champion_from_before_the_ledger_is_taken_into_it(uri, ledger):
    assert current_champion(NAME, ledger, uri) is None
    set_alias(NAME, "champion", "2", uri)
    assert current_champion(NAME, ledger, uri).version == "2"
    (entry,) = read_ledger(ledger)
    assert (entry.kind, entry.facts["by"], entry.facts["version"]) == (EntryKind.CHAMPION, "found", "2")


def test_what_was_previous_before_the_ledger_can_be_gone_back_to(uri, ledger):
    set_alias(NAME, "previous", "1", uri)
    set_alias(NAME, "champion", "2", uri)
    assert roll_back(NAME, ledger, uri, name="A. Smith", reason="misses small tumors") == ("2", "1")


def test_an_alias_that_was_moved_past_the_ledger_is_taken_over_by_nobody_but_by_name(uri, ledger):
    """Once `promote` said "Version 3 stays champion" of it, and took it for decided from then on."""
    carry_out(NAME, "1", None, FACTS, ledger, uri)
    carry_out(NAME, "2", "1", FACTS, ledger, uri)
    set_alias(NAME, "champion", "3", uri)
    before = ledger.read_bytes()
    told = "Expected version 2 to be champion of lesionflow-knees in MLflow, as the ledger says, found version 3"
    for refused in (True, False):
        with pytest.raises(ArtifactError, match=told):
            carry_out(NAME, "1", "3", {**FACTS, "promote": refused}, ledger, uri)
    with pytest.raises(ArtifactError, match="the same with 3 lets that one stand"):
        current_champion(NAME, ledger, uri)
    assert settle(NAME, ledger, uri) == ()
    assert (ledger.read_bytes(), aliases(uri)["3"]) == (before, {"champion"})
    by = {"name": "A. Smith", "reason": "asked for", "ledger": ledger, "tracking_uri": uri}
    assert promote_by_hand(NAME, "3", **by) == ("2", "3")
    assert current_champion(NAME, ledger, uri).version == "3"
    # And back again, where nobody meant it.
    set_alias(NAME, "champion", "1", uri)
    assert promote_by_hand(NAME, "3", **by) == ("1", "3")
    assert aliases(uri)["3"] == {"champion"}
    assert roll_back(NAME, ledger, uri, name="A. Smith", reason="asked for") == ("3", "2")


def test_a_barred_version_is_never_taken_over_whether_there_was_a_champion_or_not(uri, ledger):
    append_entry(ledger, EntryKind.BARRED, {"model_name": NAME, "version": "2", "reason": "a patient withdrew"})
    set_alias(NAME, "champion", "2", uri)
    with pytest.raises(ArtifactError, match=r"found in MLflow version 2, barred on .*a patient withdrew"):
        current_champion(NAME, ledger, uri)
    assert [entry.kind for entry in read_ledger(ledger)] == [EntryKind.BARRED]
    with pytest.raises(ArtifactError, match="barred"):
        promote_by_hand(NAME, "2", name="A. Smith", reason="asked for", ledger=ledger, tracking_uri=uri)
