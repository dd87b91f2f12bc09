import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lesionflow.errors import ArtifactError
from lesionflow.registry import shared_state
from lesionflow.registry.shared_state import latest_snapshot, push_snapshot
from lesionflow.registry.versions import list_models
from support.stores import empty_store

NAME, STATE = "lesionflow-knees", "lesionflow-knees.state"
FILES = {"splits.json": b"{}\n", "ledger.jsonl": b"one\n"}


@pytest.fixture
def uri(tmp_path):
    return empty_store(tmp_path / "store")


def test_what_is_shared_is_what_the_next_one_finds_and_no_model(uri):
    assert latest_snapshot(NAME, uri) is None
    first = push_snapshot(NAME, FILES, None, uri)
    assert latest_snapshot(NAME, uri) == first
    assert (first.number, dict(first.files)) == (1, FILES)
    second = push_snapshot(NAME, {**FILES, "ledger.jsonl": b"one\ntwo\n"}, first, uri)
    assert latest_snapshot(NAME, uri) == second
    assert second.number == 2
    assert list_models(uri) == ()


def test_the_run_that_holds_it_does_not_look_as_if_it_went_on(uri):
    push_snapshot(NAME, FILES, None, uri)
    client = MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name(STATE).experiment_id])
    assert run.info.status == "FINISHED"


def test_the_same_files_make_no_second_snapshot(uri):
    first = push_snapshot(NAME, FILES, None, uri)
    assert push_snapshot(NAME, FILES, first, uri) == first
    assert len(MlflowClient(uri).search_model_versions(f"name = '{STATE}'")) == 1


def test_who_has_not_seen_the_newest_shares_nothing(uri):
    first = push_snapshot(NAME, FILES, None, uri)
    assert push_snapshot(NAME, {"splits.json": b"other"}, None, uri) is None
    assert latest_snapshot(NAME, uri) == first


def test_of_two_at_once_one_wins_and_the_other_is_told(uri, monkeypatch):
    first = push_snapshot(NAME, FILES, None, uri)
    winner, looked = [], []
    real = shared_state._head

    def others_share_in_between(client, name):
        head = real(client, name)
        if not looked:
            looked.append(True)
            winner.append(push_snapshot(NAME, {"splits.json": b"theirs"}, first, uri))
        return head

    monkeypatch.setattr(shared_state, "_head", others_share_in_between)
    assert push_snapshot(NAME, {"splits.json": b"ours"}, first, uri) is None
    monkeypatch.undo()
    assert latest_snapshot(NAME, uri) == winner[0]
    assert latest_snapshot(NAME, uri).files == {"splits.json": b"theirs"}


def test_one_killed_before_it_knew_that_it_lost_changes_nothing(uri, monkeypatch):
    first = push_snapshot(NAME, FILES, None, uri)
    looked = []
    real = shared_state._head

    def others_share_in_between(client, name):
        head = real(client, name)
        if not looked:
            looked.append(True)
            push_snapshot(NAME, {"splits.json": b"theirs"}, first, uri)
        return head

    monkeypatch.setattr(shared_state, "_head", others_share_in_between)
    monkeypatch.setattr(MlflowClient, "delete_model_version", _kill)
    with pytest.raises(KeyboardInterrupt):
        push_snapshot(NAME, {"splits.json": b"ours"}, first, uri)
    monkeypatch.undo()
    theirs = latest_snapshot(NAME, uri)
    assert theirs.files == {"splits.json": b"theirs"}
    assert push_snapshot(NAME, {"splits.json": b"later"}, theirs, uri).number == 4
    assert latest_snapshot(NAME, uri).files == {"splits.json": b"later"}


def test_one_killed_before_its_version_was_made_is_none_and_is_made_by_the_next(uri, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_model_version", _kill)
        with pytest.raises(KeyboardInterrupt):
            push_snapshot(NAME, FILES, None, uri)
    assert latest_snapshot(NAME, uri) is None
    assert push_snapshot(NAME, FILES, None, uri).number == 1


def test_a_deleted_snapshot_or_an_altered_file_is_told(uri, tmp_path):
    first = push_snapshot(NAME, FILES, None, uri)
    second = push_snapshot(NAME, {"splits.json": b"2"}, first, uri)
    push_snapshot(NAME, {"splits.json": b"3"}, second, uri)
    shutil.copytree(tmp_path / "store", tmp_path / "copy")
    MlflowClient(uri).delete_model_version(STATE, "2")
    with pytest.raises(ArtifactError, match="before number 3 deleted"):
        latest_snapshot(NAME, uri)
    copy = f"sqlite:///{tmp_path}/copy/mlflow.db"
    (path,) = [p for p in Path(tmp_path / "copy").rglob("splits.json") if p.read_bytes() == b"3"]
    path.write_bytes(b"4")
    with pytest.raises(ArtifactError, match="found other files"):
        latest_snapshot(NAME, copy)


def test_a_store_that_is_not_there_shares_nothing_and_is_not_made(tmp_path):
    assert latest_snapshot(NAME, f"sqlite:///{tmp_path}/none.db") is None
    assert not list(tmp_path.iterdir())


def _kill(*_args, **_kwargs):
    raise KeyboardInterrupt
