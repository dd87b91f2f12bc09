"""A killed training goes on where it was, and only if what is trained is the same."""

import csv

import pytest

from lesionflow.errors import ArtifactError
from lesionflow.steps.train.work_folder import WorkFolder
from lesionflow.training import TrainingState

HISTORY = [{"epoch": 0.0, "train/loss": 0.75}, {"epoch": 1.0, "train/loss": 0.5}]
STATE = TrainingState(
    network={}, optimizer={}, callbacks={}, precision={}, best={}, best_dice=0.25, elapsed_s=9.0, history=HISTORY
)


def test_other_params_do_not_go_on_with_an_old_checkpoint(tmp_path):
    first = WorkFolder.beside(tmp_path / "candidate", "key one")
    first.keep_run_id("r-1")
    assert WorkFolder.beside(tmp_path / "candidate", "key one").run_id == "r-1"
    other = WorkFolder.beside(tmp_path / "candidate", "key two")
    assert (other.run_id, other.load()) == ("", None)


def test_what_was_kept_is_there_when_it_is_opened_again(tmp_path):
    work = WorkFolder.beside(tmp_path / "models" / "candidate", "key")
    assert work.path == tmp_path / "models" / "candidate.work"
    assert (work.run_id, work.load()) == ("", None)
    work.keep_run_id("r-1")
    work.keep(STATE)
    again = WorkFolder.beside(tmp_path / "models" / "candidate", "key")
    assert again.run_id == "r-1"
    assert again.load() == STATE
    with (again.path / "history.csv").open() as table:
        assert [{name: float(value) for name, value in row.items()} for row in csv.DictReader(table)] == HISTORY


def test_another_key_begins_anew_with_all_that_lies_in_the_folder(tmp_path):
    work = WorkFolder(tmp_path / "candidate.work", "one")
    work.keep(STATE)
    work.inside("fold-0", "of the fold").keep(STATE)
    other = WorkFolder(tmp_path / "candidate.work", "two")
    assert sorted(path.name for path in other.path.iterdir()) == ["key"]
    # Nor is the first one's state found again by its own key.
    assert WorkFolder(tmp_path / "candidate.work", "one").load() is None


def test_a_training_in_it_begins_anew_alone(tmp_path):
    work = WorkFolder(tmp_path / "candidate.work", "all")
    work.keep_run_id("r-1")
    for name in ("fold-0", "fold-1"):
        work.inside(name, f"key of {name}").keep(STATE)
    assert work.inside("fold-0", "another").load() is None
    assert work.inside("fold-1", "key of fold-1").load() == STATE
    assert work.run_id == "r-1"


def test_a_request_to_stop_is_for_the_training_that_ran_then(tmp_path):
    work = WorkFolder(tmp_path / "candidate.work", "key")
    work.keep(STATE)
    work.stop_file.touch()
    again = WorkFolder(tmp_path / "candidate.work", "key")
    assert not again.stop_file.exists()
    assert again.load() == STATE


def test_a_state_that_could_not_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    work = WorkFolder(tmp_path / "candidate.work", "key")
    work.keep(STATE)
    before = (work.path / "last.ckpt").read_bytes()

    def full(_, content):
        raise OSError(f"no space left for {len(content)} bytes")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        work.keep(STATE)
    assert (work.path / "last.ckpt").read_bytes() == before
    assert sorted(path.name for path in work.path.iterdir()) == ["history.csv", "key", "last.ckpt"]


def test_a_broken_checkpoint_is_refused_and_not_begun_anew_in_silence(tmp_path):
    work = WorkFolder(tmp_path / "candidate.work", "key")
    (work.path / "last.ckpt").write_bytes(b"half a checkpoint")
    with pytest.raises(ArtifactError, match="Remove it"):
        work.load()


def test_nothing_is_left_when_the_bundle_is_written(tmp_path):
    work = WorkFolder.beside(tmp_path / "candidate", "key")
    work.inside("fold-0", "key").keep(STATE)
    work.remove()
    work.remove()
    assert list(tmp_path.glob("candidate*")) == []
