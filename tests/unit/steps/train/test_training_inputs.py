"""All that `train` reads: which trainings there are, on which cases, and what their digests depend on."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from lesionflow.config import Settings, TrainConfig
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.preprocessed import IndexEntry, case_file, read_index, write_index
from lesionflow.steps.train import training_inputs as module
from lesionflow.steps.train.training_inputs import load_inputs
from support.training_cases import blob_case
from support.training_workspace import TWO_FOLDS, make_inputs, make_plan, train_params

REPO = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return make_inputs(tmp_path_factory.mktemp("inputs"), folds=TWO_FOLDS)


def load(paths, **changes):
    return load_inputs(TrainConfig.model_validate(train_params(REPO, **changes)), paths, Settings())


def digest_of(*numbers):
    return hashlib.sha256("".join(f"c-{k} key-{k}\n" for k in numbers).encode()).hexdigest()


def test_one_fold_is_the_splits(paths):
    loaded = load(paths, seed=5)
    (task,) = loaded.tasks
    assert (task.train, task.validation, task.fold) == (("c-0", "c-1", "c-2"), ("c-3",), 0)
    assert task.config.seed == 5
    assert loaded.combined is task
    assert task.data_revision == loaded.data_revision == digest_of(0, 1, 2, 3)
    assert loaded.plan == make_plan()


@pytest.mark.parametrize("folds", ["ensemble", "final"])
def test_of_several_folds_each_has_a_seed_of_its_own(paths, folds):
    loaded = load(paths, seed=5, folds=folds)
    assert [(task.name, task.fold, task.config.seed) for task in loaded.tasks] == [("fold-0", 0, 5), ("fold-1", 1, 6)]
    # Sorted, whatever the split's order.
    assert [task.train for task in loaded.tasks] == [("c-0", "c-1", "c-2"), ("c-0", "c-3")]
    assert [task.validation for task in loaded.tasks] == [("c-3",), ("c-1", "c-2")]
    assert loaded.train == ("c-0", "c-1", "c-2", "c-3")
    assert loaded.validation == ("c-1", "c-2", "c-3")


def test_what_is_told_of_all_together_has_no_fold_and_the_seed_of_params(paths):
    combined = load(paths, seed=5, folds="ensemble").combined
    assert (combined.name, combined.fold, combined.config.seed) == ("all", None, 5)
    assert (combined.train, combined.validation) == (("c-0", "c-1", "c-2", "c-3"), ("c-1", "c-2", "c-3"))
    assert combined.data_revision == digest_of(0, 1, 2, 3)


def test_the_network_of_all_cases_learns_from_those_that_judged_too_and_as_long_as_it_is_told(paths):
    loaded = load(paths, seed=5, folds="final", max_epochs=40)
    last = loaded.on_all_cases(17)
    assert (last.train, last.validation, last.fold) == (("c-0", "c-1", "c-2", "c-3"), (), None)
    assert (last.config.max_epochs, last.config.seed) == (17, 5)
    assert loaded.config.max_epochs == 40


def test_the_key_changes_with_params_plan_and_cases_and_with_nothing_else(paths, tmp_path):
    key = load(paths, folds="ensemble").key
    assert load(paths, folds="ensemble").key == key
    other_plan = tmp_path / "plan.json"
    other_plan.write_text(make_plan(patch_size=(3, 32, 48)).model_dump_json())
    other_cases = make_inputs(tmp_path / "other", folds=TWO_FOLDS)
    index = read_index(other_cases["preprocessed"])
    write_index(other_cases["preprocessed"], index | {"c-1": index["c-1"].model_copy(update={"key": "made otherwise"})})
    keys = {
        key,
        load(paths, folds="one").key,
        load(paths, folds="ensemble", learning_rate=0.1).key,
        load({**paths, "plan": other_plan}, folds="ensemble").key,
        load(other_cases, folds="ensemble").key,
    }
    assert len(keys) == 5


@pytest.mark.parametrize("limit", [1, 10**9])
def test_arrays_are_those_on_disk_whether_they_stay_compressed_or_not(paths, monkeypatch, caplog, limit):
    monkeypatch.setattr(module, "IN_MEMORY_BYTES", limit)
    with caplog.at_level("INFO", logger="lesionflow"):
        cases = load(paths).cases
    assert ("stay compressed" in caplog.text) == (limit == 1)
    assert all(isinstance(case.image, np.ndarray) == (limit > 1) for case in cases.values())
    assert list(cases) == ["c-0", "c-1", "c-2", "c-3"]
    for number, case in enumerate(cases.values()):
        truth = blob_case(number)
        np.testing.assert_array_equal(case.image[:], truth.image)
        np.testing.assert_array_equal(case.mask[:], truth.mask)
        np.testing.assert_array_equal(case.foreground[1], truth.foreground[1])


def test_exactly_what_fits_into_memory_is_kept_there(paths, monkeypatch):
    # Four cases of one float32 channel and a mask of bytes.
    size = 4 * 5 * 9 * 51 * 67
    for limit, fits in ((size, True), (size - 1, False)):
        monkeypatch.setattr(module, "IN_MEMORY_BYTES", limit)
        assert all(isinstance(case.mask, np.ndarray) == fits for case in load(paths).cases.values())


def without(paths, tmp_path, *lost):
    """The same inputs, some of whose cases could not be preprocessed."""
    folder = tmp_path / "preprocessed"
    folder.mkdir()
    for path in paths["preprocessed"].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    index = {**read_index(folder), **{name: IndexEntry(key="k", sha256="", reason="no_outline") for name in lost}}
    write_index(folder, index)
    return {**paths, "preprocessed": folder}


def test_cases_that_could_not_be_preprocessed_are_left_out_and_named(paths, tmp_path, caplog):
    loaded = load(without(paths, tmp_path, "c-1"))
    assert loaded.train == ("c-0", "c-2")
    assert loaded.data_revision == digest_of(0, 2, 3)
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "1 cases are not trained with, they could not be preprocessed: c-1"
    ]


def test_a_fold_without_cases_is_named(paths, tmp_path):
    with pytest.raises(ArtifactError, match="to validate on in fold 0, found none"):
        load(without(paths, tmp_path, "c-3"))


def test_a_case_that_was_altered_or_lost_is_named(paths, tmp_path):
    damaged = without(paths, tmp_path)
    file = case_file(damaged["preprocessed"], "c-2")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"case c-2.*altered or missing.*Run preprocess again"):
        load(damaged)
    file.unlink()
    with pytest.raises(ArtifactError, match="case c-2"):
        load(damaged)


def test_several_folds_of_a_split_of_one_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"at least two folds for train\.folds final, found 1"):
        load(make_inputs(tmp_path), folds="final")


def test_what_params_and_plan_do_not_agree_on_is_refused_before_a_case_is_read(paths):
    with pytest.raises(ConfigError, match=r"train\.scheduler"):
        load({**paths, "preprocessed": Path("nowhere")}, folds="final", scheduler="plateau")
