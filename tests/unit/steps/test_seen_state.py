"""The newest snapshots of the shared state are missed, though their deletion leaves no gap."""

import mlflow
import pytest

from lesionflow.data.split import Fold, Split
from lesionflow.errors import ArtifactError
from lesionflow.io.stores.ledger import ledger_path, note_read, read_ledger
from lesionflow.io.stores.splits import write_split
from lesionflow.registry.shared_state import latest_snapshot
from lesionflow.steps.seen_state import MARK, find_seen
from lesionflow.steps.shared_state import fetch_shared, joined_ledger, share_ledger
from support.stores import empty_store

NAME = "lesionflow-phantom-ct"
READ = {"step": "evaluate", "run_id": "r", "test_set_sha256": "0" * 64, "n_cases": 4}


@pytest.fixture
def uri(tmp_path, monkeypatch):
    uri = empty_store(tmp_path / "store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


@pytest.fixture
def splits(tmp_path, uri):
    """A workspace that has shared three reads, one snapshot each."""
    path = tmp_path / "mine" / "data" / "splits.json"
    path.parent.mkdir(parents=True)
    fold = Fold(train=("c-1",), validation=("c-2",))
    split = Split(
        seed=1,
        fold=0,
        folds=(fold,),
        test=("c-3",),
        test_patients=("p-3",),
        other_patients=("p-1", "p-2"),
        model_name=NAME,
    )
    write_split(path, split)
    for number in range(3):
        note_read(ledger_path(path), READ | {"bundle_digest": f"b-{number}"})
        share_ledger(path, uri)
    return path


def _delete_newest(uri, n):
    client = mlflow.MlflowClient(uri)
    newest = latest_snapshot(NAME, uri).number
    for number in range(newest, newest - n, -1):
        client.delete_model_version(f"{NAME}.state", str(number))


def _cut(splits, n_kept):
    ledger = ledger_path(splits)
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:n_kept]))


def test_the_newest_snapshot_is_kept_in_mind(splits, uri):
    newest, last = latest_snapshot(NAME, uri), read_ledger(ledger_path(splits))[-1]
    assert find_seen(ledger_path(splits), NAME) == (NAME, newest.number, newest.digest, 3, last.sha256)
    assert find_seen(ledger_path(splits), "another") is None
    ledger_path(splits).with_name(MARK).write_text("{}")
    with pytest.raises(ArtifactError, match="Remove it"):
        find_seen(ledger_path(splits), NAME)


def test_newest_ones_that_were_deleted_are_missed_where_the_ledger_was_cut_as_well(splits, uri):
    _delete_newest(uri, 2)
    _cut(splits, 1)
    told = (
        r"Expected entry 3 of the ledger of lesionflow-phantom-ct .*, which snapshot 3 of its state had.*back from git"
    )
    with pytest.raises(ArtifactError, match=told):
        share_ledger(splits, uri)
    with pytest.raises(ArtifactError, match=told):
        fetch_shared(splits, NAME, uri)
    with pytest.raises(ArtifactError, match=told), joined_ledger(splits, NAME, uri):
        pass
    # All of them gone is not a state that was never shared.
    _delete_newest(uri, 1)
    with pytest.raises(ArtifactError, match=told):
        share_ledger(splits, uri)
    assert len(read_ledger(ledger_path(splits))) == 1
    # Who means another state says so.
    ledger_path(splits).with_name(MARK).unlink()
    assert share_ledger(splits, uri)


def test_one_side_that_is_whole_restores_the_other(splits, uri):
    whole = ledger_path(splits).read_bytes()
    _delete_newest(uri, 2)
    share_ledger(splits, uri)
    assert latest_snapshot(NAME, uri).files["ledger.jsonl"] == whole
    _cut(splits, 1)
    with joined_ledger(splits, NAME, uri) as (_, words):
        assert "the ledger here lacks 2 entries that are shared, it was cut, as some of them were here before" in words
    fetch_shared(splits, NAME, uri)
    assert ledger_path(splits).read_bytes() == whole
