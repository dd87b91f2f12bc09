import json

import pytest
import yaml

from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.errors import ArtifactError, InputError
from lesionflow.io.stores.cases import write_table
from lesionflow.io.stores.splits import read_split
from lesionflow.steps import run_step
from support.case_tables import case_table

PARAMS = yaml.safe_load((PRESETS_FOLDER / "phantom_ct.yaml").read_text())["split"] | {"model_name": ""}


def _run(tmp_path, table, quarantine=None):
    cases, validation = tmp_path / "cases", tmp_path / "validation"
    for folder in (cases, validation):
        folder.mkdir(exist_ok=True, parents=True)
    write_table(cases, table)
    (validation / "quarantine.json").write_text(json.dumps(quarantine or {}))
    inputs = {"cases": cases, "validation": validation}
    counts = run_step("split", PARAMS, inputs, {"splits": tmp_path / "data" / "splits.json"})
    return counts, read_split(tmp_path / "data" / "splits.json")


def _everything(split):
    return {*split.train, *split.validation, *split.test}


def test_quarantined_and_outlineless_cases_are_left_out(tmp_path):
    table = case_table(16)
    table.loc[5, "has_mask"] = False
    counts, split = _run(tmp_path, table, {"c-000002": ["spacing"]})
    assert _everything(split) == set(table["case_id"]) - {"c-000002", "c-000005"}
    assert counts["n_test"] == len(split.test) == counts["n_test_patients"] == 4
    assert counts["n_train"] + counts["n_validation"] + counts["n_test"] == 14
    assert counts["n_new_patients"] == 14


def test_the_file_that_lies_there_is_the_lock(tmp_path, caplog):
    caplog.set_level("INFO")
    _, old = _run(tmp_path, case_table(16))
    _, same = _run(tmp_path, case_table(16))
    assert same == old
    counts, new = _run(tmp_path, case_table(32))
    assert set(old.test) < set(new.test)
    assert len(new.test) == 8
    assert not set(old.train) & set(new.test)
    assert counts["n_new_patients"] == 16
    assert "16 patients are new; the 4 tested on before stay so" in caplog.text


def test_a_broken_lock_is_never_overwritten(tmp_path):
    _run(tmp_path, case_table(16))
    lock = tmp_path / "data" / "splits.json"
    lock.write_text(lock.read_text()[:-40])
    broken = lock.read_text()
    with pytest.raises(ArtifactError, match="locks the test set"):
        _run(tmp_path, case_table(16))
    assert lock.read_text() == broken


def test_too_few_patients_write_nothing(tmp_path):
    with pytest.raises(InputError, match="Add studies"):
        _run(tmp_path, case_table(4))
    assert list((tmp_path / "data").iterdir()) == []


def test_it_says_which_locked_patients_are_still_there(tmp_path, caplog):
    caplog.set_level("INFO")
    table = case_table(32)
    counts, old = _run(tmp_path, table)
    assert "Locked test set of 8 patients: 8 are in the data." in caplog.text
    assert (counts["n_test_patients"], counts["n_test_patients_gone"], counts["n_test_patients_held_back"]) == (8, 0, 0)
    caplog.clear()
    gone, held = list(old.test_patients[:2]), old.test_patients[2]
    held_case = table.loc[table["patient_id"] == held, "case_id"].iloc[0]
    left = table[~table["patient_id"].isin(gone)].reset_index(drop=True)
    counts, new = _run(tmp_path, left, {held_case: ["spacing"]})
    said = caplog.text
    n_locked = len(new.test_patients)
    assert set(old.test_patients) <= set(new.test_patients)
    assert f"Locked test set of {n_locked} patients: {n_locked - 3} are in the data" in said
    assert f"1 in quarantine or without an outline ({held})" in said
    assert f"2 gone ({', '.join(gone)})" in said
    assert (counts["n_test_patients_gone"], counts["n_test_patients_held_back"]) == (2, 1)


def test_few_test_patients_are_a_warning(tmp_path, caplog):
    _run(tmp_path, case_table(16))
    assert "Only 4 patients are tested on: with fewer than 6 no difference" in caplog.text


def test_a_test_set_of_whom_nobody_is_left_is_refused(tmp_path):
    table = case_table(16)
    _, old = _run(tmp_path, table)
    # All others were divided before and stay outside the test set.
    left = table[~table["patient_id"].isin(old.test_patients)].reset_index(drop=True)
    lock = (tmp_path / "data" / "splits.json").read_bytes()
    with pytest.raises(
        InputError, match=r"Locked test set of 4 patients: 0 are in the data, 4 gone.*start a new test set"
    ) as raised:
        _run(tmp_path, left)
    assert raised.value.reason == "too_few_patients"
    assert (tmp_path / "data" / "splits.json").read_bytes() == lock


@pytest.mark.parametrize("content", ["[]", "{", '{"c": 3}'])
def test_a_broken_quarantine_is_an_artifact_error(tmp_path, content):
    _run(tmp_path, case_table(16))
    (tmp_path / "validation" / "quarantine.json").write_text(content)
    inputs = {"cases": tmp_path / "cases", "validation": tmp_path / "validation"}
    with pytest.raises(ArtifactError, match="Run validate"):
        run_step("split", PARAMS, inputs, {"splits": tmp_path / "data" / "splits.json"})


def test_each_part_has_its_share_of_each_frame_of_pictures(tmp_path):
    """Four pictures of another microscope are told by their frame alone; drawn by chance they may all be tested on."""
    for number in range(5):
        table = case_table(24)
        table["image_sha256"] = [f"{number}-{name}" for name in table["image_sha256"]]
        table["source_format"] = "pictures"
        table["n_rows"], table["n_columns"] = 256, 320
        rare = list(table["case_id"])[number : number + 4]
        table.loc[table["case_id"].isin(rare), "n_rows"] = 1024
        _, split = _run(tmp_path / str(number), table)
        assert len(set(rare) & set(split.test)) == 1
        assert all(set(rare) & set(fold.train) for fold in split.folds)


def test_it_says_who_leaves_the_test_set_as_the_model_has_learned_from_him(tmp_path, caplog):
    """Two names that were two patients are told to be one's: of one the model has learned."""
    table = case_table(16)
    _, old = _run(tmp_path, table)
    case, other = old.test[0], old.train[0]
    table.loc[table["case_id"].isin([case, other]), "patient_id"] = "p-joined"
    _, new = _run(tmp_path, table)
    assert case not in new.test
    assert set(old.test) - {case} <= set(new.test)
    assert (
        f"1 cases leave the test set, as their patient, told otherwise now, has been learned from: {case}."
        in caplog.text
    )
