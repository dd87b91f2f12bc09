import threading

import mlflow
import pytest

from lesionflow.data.ledger import EntryKind
from lesionflow.errors import ConflictError, ServiceError
from lesionflow.io.stores.ledger import append_entry, read_ledger
from lesionflow.registry.succession import carry_out, current_champion, settle, transactions
from lesionflow.registry.versions import find_version
from support.champions import FACTS, NAME, SET_ALIAS, aliases, kinds, refusing


def test_a_decision_is_in_the_ledger_before_the_alias_moves(uri, ledger, monkeypatch):
    seen = []
    original = mlflow.MlflowClient.set_registered_model_alias

    def watch(self, name, alias, version):
        seen.append((alias, kinds(ledger)))
        original(self, name, alias, version)

    monkeypatch.setattr(mlflow.MlflowClient, SET_ALIAS, watch)
    assert carry_out(NAME, "1", None, FACTS, ledger, uri) == (None, "1")
    assert carry_out(NAME, "2", "1", FACTS, ledger, uri) == ("1", "2")
    assert seen[0] == ("champion", ["decision"])
    assert seen[1] == ("champion", ["decision", "champion", "decision"])
    assert aliases(uri) == {"3": set(), "2": {"champion"}, "1": {"previous"}}
    decision, champion = read_ledger(ledger)[-2:]
    assert (decision.facts["before"], decision.facts["version"], decision.facts["reason"]) == (
        "1",
        "2",
        "better by 0.03",
    )
    assert champion.facts["of"] == decision.sha256


def test_a_refusal_is_kept_and_moves_nothing(uri, ledger):
    carry_out(NAME, "1", None, FACTS, ledger, uri)
    assert carry_out(NAME, "2", "1", {**FACTS, "promote": False}, ledger, uri) == ("1", "1")
    assert aliases(uri)["1"] == {"champion"}
    assert read_ledger(ledger)[-1].facts["promote"] is False
    assert settle(NAME, ledger, uri) == ()


def test_who_compared_with_an_old_champion_is_told_of_the_new_one(uri, ledger):
    carry_out(NAME, "1", None, FACTS, ledger, uri)
    carry_out(NAME, "2", "1", FACTS, ledger, uri)
    with pytest.raises(ConflictError, match=r"Expected version 1 to be the champion .* found version 2"):
        carry_out(NAME, "3", "1", FACTS, ledger, uri)
    assert aliases(uri)["2"] == {"champion"}
    assert carry_out(NAME, "3", "2", FACTS, ledger, uri) == ("2", "3")


def test_of_two_at_once_one_wins_and_the_other_is_told(uri, ledger):
    carry_out(NAME, "1", None, FACTS, ledger, uri)
    told = []

    def promote(version):
        try:
            told.append(carry_out(NAME, version, "1", FACTS, ledger, uri))
        except ConflictError as error:
            told.append(type(error))

    threads = [threading.Thread(target=promote, args=(version,)) for version in ("2", "3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count(ConflictError) == 1
    winner = find_version(NAME, "champion", uri).version
    assert ("1", winner) in told
    assert kinds(ledger) == ["decision", "champion"] * 2


@pytest.mark.parametrize("alias", ["champion", "previous"])
def test_a_store_that_refuses_to_write_leaves_a_decision_that_the_next_call_carries_out(
    uri, ledger, monkeypatch, alias
):
    carry_out(NAME, "1", None, FACTS, ledger, uri)
    with monkeypatch.context() as patch:
        refusing(patch, alias)
        if alias == "champion":
            with pytest.raises(ServiceError, match=r"readonly database.*stands in the ledger as entry 3"):
                carry_out(NAME, "2", "1", FACTS, ledger, uri)
            assert aliases(uri)["1"] == {"champion"}
        else:
            # `previous` only repeats what the ledger says.
            assert carry_out(NAME, "2", "1", FACTS, ledger, uri) == ("1", "2")
    assert current_champion(NAME, ledger, uri).version == "2"
    assert kinds(ledger) == ["decision", "champion"] * 2


def test_another_workspace_that_promotes_while_bytes_are_verified_wins(uri, ledger, tmp_path, monkeypatch):
    carry_out(NAME, "1", None, FACTS, ledger, uri)
    other = tmp_path / "other" / "ledger.jsonl"
    other.parent.mkdir()
    other.write_bytes(ledger.read_bytes())
    verify = transactions.verify_bytes

    def meanwhile(*arguments):
        monkeypatch.setattr(transactions, "verify_bytes", verify)
        carry_out(NAME, "2", "1", FACTS, other, uri)
        verify(*arguments)

    monkeypatch.setattr(transactions, "verify_bytes", meanwhile)
    with pytest.raises(ConflictError, match="Another program made version 2 champion"):
        carry_out(NAME, "3", "1", FACTS, ledger, uri)
    assert find_version(NAME, "champion", uri).version == "2"
    assert kinds(ledger)[-1] == "undone"


def test_the_alias_moves_only_after_the_decision_is_shared(uri, ledger):
    seen = []

    def share():
        seen.append((kinds(ledger), find_version(NAME, "champion", uri)))

    carry_out(NAME, "1", None, FACTS, ledger, uri, share)
    assert seen == [(["decision"], None)]


def test_a_change_that_cannot_be_shared_is_undone(uri, ledger):
    def share():
        raise ServiceError("the store is away")

    with pytest.raises(ServiceError, match="away"):
        carry_out(NAME, "1", None, FACTS, ledger, uri, share)
    assert kinds(ledger) == ["decision", "undone"]
    assert find_version(NAME, "champion", uri) is None


def test_a_change_that_sharing_undid_moves_nothing(uri, ledger):
    def share():
        # As a join does with what comes behind another workspace's change.
        [begun] = read_ledger(ledger)
        append_entry(ledger, EntryKind.UNDONE, {"model_name": NAME, "version": "1", "of": begun.sha256})

    with pytest.raises(ConflictError, match="another workspace changed the champion"):
        carry_out(NAME, "1", None, FACTS, ledger, uri, share)
    assert find_version(NAME, "champion", uri) is None
