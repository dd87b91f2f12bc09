import json
import os

import pytest
import yaml

from lesionflow.cohort.shared_lock import leave_out
from lesionflow.config import Settings
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.data.ledger import EntryKind
from lesionflow.errors import ArtifactError, ServiceError
from lesionflow.io.stores.cases import write_table
from lesionflow.io.stores.ledger import append_entry, ledger_path, note_read, read_ledger
from lesionflow.io.stores.splits import read_split
from lesionflow.registry.shared_state import latest_snapshot, push_snapshot
from lesionflow.steps import run_step, shared_state
from lesionflow.steps.shared_state import fetch_shared, joined_ledger, push_shared, share_ledger
from support.case_tables import case_table
from support.champions import set_champion
from support.stores import empty_store
from support.versions import store_of_versions

NAME = "lesionflow-phantom-ct"
PARAMS = yaml.safe_load((PRESETS_FOLDER / "phantom_ct.yaml").read_text())["split"] | {"model_name": NAME}
READ = {"step": "evaluate", "run_id": "r", "test_set_sha256": "0" * 64, "n_cases": 4, "bundle_digest": "b"}


@pytest.fixture
def uri(tmp_path, monkeypatch):
    uri = empty_store(tmp_path / "store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


def _split(workspace, n_cases=16, **other):
    """Run the step in a workspace; as on a cluster, nothing need lie at its output."""
    cases, validation, splits = workspace / "cases", workspace / "validation", workspace / "data" / "splits.json"
    for folder in (cases, validation):
        folder.mkdir(exist_ok=True, parents=True)
    write_table(cases, case_table(n_cases))
    (validation / "quarantine.json").write_text("{}")
    run_step("split", PARAMS | other, {"cases": cases, "validation": validation}, {"splits": splits})
    return splits


def test_a_cluster_that_starts_with_nothing_honors_the_test_set_of_the_first_workspace(uri, tmp_path):
    mine = read_split(_split(tmp_path / "mine"))
    # Alone, twice the data and another seed draw others.
    alone = read_split(_split(tmp_path / "alone", 32, seed=99, model_name=""))
    assert not set(mine.test) <= set(alone.test)
    theirs = read_split(_split(tmp_path / "cluster", 32, seed=99))
    assert set(mine.test) < set(theirs.test)
    assert not set(theirs.test) & {*mine.train, *mine.validation}
    assert (theirs.model_name, alone.model_name) == (NAME, "")
    # And back: who was drawn there is locked here.
    again = read_split(_split(tmp_path / "mine", 32))
    assert again.test_patients == theirs.test_patients


def test_a_split_that_disagrees_with_the_shared_one_is_refused_and_nothing_is_written(uri, tmp_path):
    _split(tmp_path / "mine")
    path = _split(tmp_path / "other", 32, seed=99, model_name="")
    before = path.read_bytes()
    with pytest.raises(ArtifactError, match="tested on in one and learned from in the other"):
        _split(tmp_path / "other", 32, seed=99)
    assert path.read_bytes() == before
    assert latest_snapshot(NAME, uri).number == 1


def test_a_store_that_does_not_answer_stops_the_draw(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    with pytest.raises(ServiceError, match="does not answer"):
        _split(tmp_path / "mine")
    assert not (tmp_path / "mine" / "data" / "splits.json").exists()


def test_reads_noted_anywhere_are_counted_everywhere(uri, tmp_path):
    mine, theirs = _split(tmp_path / "mine"), _split(tmp_path / "theirs")
    for splits, bundle in ((mine, "a"), (theirs, "b"), (mine, "c")):
        share_ledger(splits, uri)
        note_read(ledger_path(splits), READ | {"bundle_digest": bundle})
        share_ledger(splits, uri)
    share_ledger(theirs, uri)
    for splits in (mine, theirs):
        assert [entry.facts["bundle_digest"] for entry in read_ledger(ledger_path(splits))] == ["a", "b", "c"]
    assert ledger_path(mine).read_bytes() == ledger_path(theirs).read_bytes()


def test_who_was_withdrawn_is_not_in_what_is_shared_next_and_does_not_come_back(uri, tmp_path):
    mine = _split(tmp_path / "mine")
    split = read_split(mine)
    who, cases = split.test_patients[0], case_table(16)
    words = (who, *cases.loc[cases["patient_id"] == who, "case_id"])
    mine.write_text(leave_out(split, words).model_dump_json())
    push_shared(mine, NAME, uri, without=words)
    shared = latest_snapshot(NAME, uri).files["splits.json"].decode()
    assert not any(word in shared for word in words)
    assert split.test_patients[1] in shared
    fetch_shared(mine, NAME, uri)
    assert who not in read_split(mine).test_patients


def test_the_ledger_is_looked_at_with_what_others_share_and_nothing_is_changed(uri, tmp_path):
    mine, theirs = _common(tmp_path, uri)
    note_read(ledger_path(theirs), READ | {"bundle_digest": "theirs"})
    share_ledger(theirs, uri)
    before, number = ledger_path(mine).read_bytes(), latest_snapshot(NAME, uri).number
    with joined_ledger(mine, NAME, uri) as (path, words):
        assert [entry.facts["bundle_digest"] for entry in read_ledger(path)] == ["b", "theirs"]
    assert (
        "the ledger here lacks 1 entries that are shared, others noted them since: `lesionflow state fetch` brings"
        in words
    )
    assert (ledger_path(mine).read_bytes(), latest_snapshot(NAME, uri).number) == (before, number)
    with joined_ledger(mine, "another", uri) as (path, words):
        assert (path, words) == (ledger_path(mine), "")
    for splits, version in ((mine, "1"), (theirs, "2")):
        one = append_entry(ledger_path(splits), EntryKind.DECISION, {"version": version})
        append_entry(ledger_path(splits), EntryKind.CHAMPION, {"version": version, "of": one.sha256})
    share_ledger(theirs, uri)
    with pytest.raises(ArtifactError, match="part after entry"), joined_ledger(mine, NAME, uri):
        pass


def test_reads_of_two_at_once_are_both_kept(uri, tmp_path):
    mine, theirs = _split(tmp_path / "mine"), _split(tmp_path / "theirs")
    note_read(ledger_path(mine), READ | {"bundle_digest": "common"})
    share_ledger(mine, uri)
    share_ledger(theirs, uri)
    note_read(ledger_path(mine), READ | {"bundle_digest": "mine"})
    note_read(ledger_path(theirs), READ | {"bundle_digest": "theirs"})
    share_ledger(mine, uri)
    share_ledger(theirs, uri)
    share_ledger(mine, uri)
    for splits in (mine, theirs):
        noted = [entry.facts["bundle_digest"] for entry in read_ledger(ledger_path(splits))]
        assert noted == ["common", "mine", "theirs"]


def test_two_histories_of_decisions_are_refused_by_name(uri, tmp_path):
    mine, theirs = _split(tmp_path / "mine"), _split(tmp_path / "theirs")
    note_read(ledger_path(mine), READ)
    share_ledger(mine, uri)
    share_ledger(theirs, uri)
    for splits, version in ((mine, "1"), (theirs, "2")):
        one = append_entry(ledger_path(splits), EntryKind.DECISION, {"version": version})
        append_entry(ledger_path(splits), EntryKind.CHAMPION, {"version": version, "of": one.sha256})
    share_ledger(mine, uri)
    with pytest.raises(ArtifactError, match="part after entry 1: here `decision`") as raised:
        share_ledger(theirs, uri)
    assert NAME in str(raised.value)
    assert len(read_ledger(ledger_path(theirs))) == 3, "what was noted here stays as it is"


def test_a_refusal_and_what_was_undone_are_carried_behind_anothers_promotion(uri, tmp_path):
    mine, theirs = _split(tmp_path / "mine"), _split(tmp_path / "theirs")
    note_read(ledger_path(mine), READ)
    share_ledger(mine, uri)
    share_ledger(theirs, uri)
    won = append_entry(ledger_path(mine), EntryKind.DECISION, {"version": "1", "promote": True})
    append_entry(ledger_path(mine), EntryKind.CHAMPION, {"version": "1", "of": won.sha256})
    append_entry(ledger_path(theirs), EntryKind.DECISION, {"version": "2", "promote": False})
    lost = append_entry(ledger_path(theirs), EntryKind.DECISION, {"version": "3", "promote": True})
    append_entry(ledger_path(theirs), EntryKind.UNDONE, {"version": "3", "of": lost.sha256})
    share_ledger(mine, uri)
    share_ledger(theirs, uri)
    entries = read_ledger(ledger_path(theirs))
    assert [str(entry.kind) for entry in entries[1:]] == ["decision", "champion", "decision", "decision", "undone"]
    assert entries[2].facts["of"] == entries[1].sha256
    assert entries[5].facts["of"] == entries[4].sha256


def _common(tmp_path, uri):
    """Two workspaces whose ledgers are the same so far."""
    mine, theirs = _split(tmp_path / "mine"), _split(tmp_path / "theirs")
    note_read(ledger_path(mine), READ)
    share_ledger(mine, uri)
    share_ledger(theirs, uri)
    return mine, theirs


def _kinds(splits):
    return [str(entry.kind) for entry in read_ledger(ledger_path(splits))][1:]


def test_a_promotion_is_carried_behind_what_others_read_meanwhile(uri, tmp_path):
    mine, theirs = _common(tmp_path, uri)
    note_read(ledger_path(theirs), READ | {"bundle_digest": "theirs"})
    share_ledger(theirs, uri)
    won = append_entry(ledger_path(mine), EntryKind.DECISION, {"version": "1", "promote": True})
    append_entry(ledger_path(mine), EntryKind.CHAMPION, {"version": "1", "of": won.sha256})
    share_ledger(mine, uri)
    assert _kinds(mine) == ["test_read", "decision", "champion"]
    entries = read_ledger(ledger_path(mine))
    assert entries[-1].facts["of"] == entries[-2].sha256


def test_a_change_that_is_begun_behind_anothers_is_undone(uri, tmp_path):
    mine, theirs = _common(tmp_path, uri)
    append_entry(ledger_path(mine), EntryKind.DECISION, {"version": "1", "promote": True})
    share_ledger(mine, uri)
    append_entry(ledger_path(theirs), EntryKind.ROLLBACK, {"version": "2", "before": "3"})
    share_ledger(theirs, uri)
    assert _kinds(theirs) == ["decision", "rollback", "undone"]
    entries = read_ledger(ledger_path(theirs))
    assert entries[-1].facts["of"] == entries[-2].sha256


def test_a_champion_that_was_only_found_here_is_told_by_whoever_made_it(uri, tmp_path):
    mine, theirs = _common(tmp_path, uri)
    note_read(ledger_path(mine), READ | {"step": "promote"})
    won = append_entry(ledger_path(theirs), EntryKind.DECISION, {"version": "3", "promote": True})
    share_ledger(theirs, uri)
    append_entry(ledger_path(mine), EntryKind.CHAMPION, {"version": "3", "by": "found"})
    share_ledger(mine, uri)
    append_entry(ledger_path(theirs), EntryKind.CHAMPION, {"version": "3", "by": "gate", "of": won.sha256})
    share_ledger(theirs, uri)
    assert _kinds(theirs) == ["decision", "test_read", "champion"]
    assert read_ledger(ledger_path(theirs))[-1].facts["by"] == "gate"


@pytest.mark.parametrize("end", [EntryKind.CHAMPION, EntryKind.UNDONE])
def test_a_change_that_two_ended_is_ended_once(uri, tmp_path, end):
    mine, theirs = _common(tmp_path, uri)
    won = append_entry(ledger_path(mine), EntryKind.DECISION, {"version": "1", "promote": True})
    share_ledger(mine, uri)
    share_ledger(theirs, uri)
    append_entry(ledger_path(theirs), EntryKind.CHAMPION, {"version": "1", "of": won.sha256})
    append_entry(ledger_path(mine), end, {"version": "1", "of": won.sha256})
    share_ledger(theirs, uri)
    share_ledger(mine, uri)
    assert _kinds(mine) == ["decision", "champion"]


def test_a_ledger_of_another_beginning_is_refused(uri, tmp_path):
    mine = _split(tmp_path / "mine")
    note_read(ledger_path(mine), READ)
    push_shared(mine, NAME, uri)
    theirs = tmp_path / "theirs" / "data" / "splits.json"
    theirs.parent.mkdir(parents=True)
    note_read(ledger_path(theirs), READ | {"bundle_digest": "elsewhere"})
    with pytest.raises(ArtifactError, match="part after entry 0"):
        fetch_shared(theirs, NAME, uri)


def test_a_ledger_altered_in_the_shared_state_or_here_is_told(uri, tmp_path):
    mine = _split(tmp_path / "mine")
    note_read(ledger_path(mine), READ)
    note_read(ledger_path(mine), READ)
    path = ledger_path(mine)
    path.write_text(path.read_text().replace('"n_cases": 4', '"n_cases": 5', 1))
    with pytest.raises(ArtifactError, match=r"line 1 of ledger\.jsonl"):
        share_ledger(mine, uri)


def test_the_change_plan_travels_and_is_changed_by_its_version_alone(uri, tmp_path, monkeypatch):
    mine = _split(tmp_path / "mine")
    plan = tmp_path / "change_plan.yaml"

    class Plan:
        def __init__(self, text):
            self.version, self.digest = json.loads(text)

    monkeypatch.setattr(shared_state, "read_change_plan", lambda path: Plan(path.read_text()))
    plan.write_text('[1, "a"]')
    share_ledger(mine, uri, change_plan=plan)
    plan.write_text('[1, "b"]')
    with pytest.raises(ArtifactError, match="version 1, or a later one, found version 1 with other content") as refused:
        share_ledger(mine, uri, change_plan=plan)
    # What it says helps, helps: an edited plan is never replaced, one that was moved away is brought again.
    assert "move the file away: `lesionflow state fetch` then brings the shared one" in str(refused.value)
    assert fetch_shared(mine, NAME, uri, change_plan=plan)
    assert plan.read_text() == '[1, "b"]'
    plan.unlink()
    assert fetch_shared(mine, NAME, uri, change_plan=plan)
    assert plan.read_text() == '[1, "a"]'
    plan.write_text('[2, "b"]')
    share_ledger(mine, uri, change_plan=plan)
    assert latest_snapshot(NAME, uri).files["change_plan.yaml"] == b'[2, "b"]'
    # Who shares without one leaves it.
    note_read(ledger_path(mine), READ)
    share_ledger(mine, uri)
    assert "change_plan.yaml" in latest_snapshot(NAME, uri).files


def test_a_split_that_is_not_shared_asks_no_store(tmp_path):
    splits = _split(tmp_path / "mine", model_name="")
    assert share_ledger(splits, Settings().tracking_uri) == 0
    assert not list(tmp_path.glob("*.db"))


def test_a_champion_without_its_lock_stops_the_draw_and_without_a_champion_it_is_drawn(tmp_path, monkeypatch):
    uri = store_of_versions(tmp_path / "store", 1, NAME)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    _split(tmp_path / "first")
    uri = store_of_versions(tmp_path / "other", 1, NAME)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    set_champion(NAME, "1", uri)
    with pytest.raises(ArtifactError, match="version 1, the champion, was tested, found none"):
        _split(tmp_path / "second")
    assert latest_snapshot(NAME, uri) is None
    # Whoever still has the split goes on, and shares it.
    _split(tmp_path / "first")
    _split(tmp_path / "second")


@pytest.mark.parametrize(
    "n_seeds",
    [3, pytest.param(20, marks=pytest.mark.skipif(os.environ.get("LESIONFLOW_TEST_WHOLE") != "1", reason="20 draws"))],
)
def test_over_many_draws_nobody_who_was_tested_on_is_learned_from_where_each_pod_begins_empty(uri, tmp_path, n_seeds):
    """12 patients, then 4 more; each split in a folder of its own, as in a pod. Apart from the registry they would mix, which is counted too."""
    n_leaks = {NAME: 0, "": 0}
    for seed in range(n_seeds):
        for name in n_leaks:
            draws = []
            for n_cases in (12, 16):
                pod = tmp_path / f"{name or 'alone'}-{seed}-{n_cases}"
                draws.append(read_split(_split(pod, n_cases, seed=seed, model_name=name and f"{name}-{seed}")))
            first, second = draws
            n_leaks[name] += len(set(first.test) & {*second.train, *second.validation})
            assert len(second.train) + len(second.validation) + len(second.test) == 16
    assert n_leaks[NAME] == 0
    assert n_leaks[""] > 0


def test_a_shared_lock_of_a_newer_version_is_named_and_stays(uri, tmp_path):
    path = _split(tmp_path / "mine")
    snapshot = latest_snapshot(NAME, uri)
    newer = json.dumps(json.loads(path.read_text()) | {"format": 99}).encode()
    push_snapshot(NAME, {**snapshot.files, shared_state.SPLIT: newer}, snapshot, uri)
    with pytest.raises(ArtifactError, match=r"in the shared state.*newer lesionflow"):
        _split(tmp_path / "other", 32)
    assert latest_snapshot(NAME, uri).files[shared_state.SPLIT] == newer
