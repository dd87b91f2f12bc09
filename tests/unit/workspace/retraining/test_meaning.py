import pandas as pd

from lesionflow.config.change_plan import Change
from lesionflow.data.split import Fold, Split
from lesionflow.planning.diff import PlanDifference
from lesionflow.workspace.retraining.meaning import Meaning, changes_of, explain_changes, explain_targets

SPLIT = Split(
    seed=1,
    fold=0,
    folds=(Fold(train=("c-1",), validation=("c-2",)), Fold(train=("c-2",), validation=("c-1",))),
    test=("c-3",),
    test_patients=("p-3",),
    other_patients=("p-1", "p-2"),
)


def _table(**changes):
    """Three patients of one case each; `c_3={"mask_sha256": "x"}` changes a cell, `c_3=None` takes a case out."""
    rows = []
    for number in (1, 2, 3, 4):
        change = changes.get(f"c_{number}", {} if number < 4 else None)
        if change is not None:
            row = {
                "case_id": f"c-{number}",
                "patient_id": f"p-{number}",
                "image_sha256": f"i{number}",
                "mask_sha256": f"m{number}",
            }
            rows.append({**row, **change})
    return pd.DataFrame(rows)


def test_a_corrected_outline_of_a_test_case_changes_the_test_sets_digest_and_is_said():
    meaning = explain_changes(_table(), _table(c_3={"mask_sha256": "x"}), SPLIT, ())
    first, second = meaning.sentences
    assert "Outlines of 1 known case were corrected (c-3)" in first
    assert "it stays tested on, the test set has another digest now" in second
    assert "scored anew" in second


def test_a_corrected_outline_outside_the_test_set_leaves_it():
    (said,) = explain_changes(_table(), _table(c_1={"mask_sha256": "x"}), SPLIT, ()).sentences
    assert "c-1" in said
    assert "test" not in said


def test_new_and_gone_cases_are_told_and_what_the_champion_had_learned_of_them():
    meaning = explain_changes(_table(), _table(c_1=None, c_3=None, c_4={}), SPLIT, {"c-1", "c-2"})
    assert meaning.unlearned == ("c-1",)
    text = " ".join(meaning.sentences)
    assert "New: 1 case of 1 new patient: " in text
    assert "Gone: 2 cases (c-1, c-3), 1 of them locked for the test" in text
    assert "learned from 1 of those that are gone (c-1)" in text
    assert explain_changes(_table(), _table(), SPLIT, {"c-1"}) == Meaning((), ())


def test_changes_are_called_as_the_change_plan_calls_them():
    def differing(*names):
        return [PlanDifference(name, "a", "b", fits=True, why="") for name in names]

    none = Meaning((), ())
    assert changes_of(differing("outputs"), none, ()) == {Change.TARGETS}
    assert changes_of(differing("network"), none, ()) == {Change.ARCHITECTURE}
    assert changes_of(differing("spacing of rows", "intensities of CT"), none, ()) == {Change.PREPROCESSING}
    assert changes_of(differing("patch_size", "inference"), none, ()) == {Change.PLAN}
    assert changes_of((), Meaning(("new",), ()), ("train", "evaluate")) == {Change.DATA, Change.TRAINING}


def test_where_targets_differ_common_ones_are_compared_and_floors_hold_the_new():
    assert explain_targets(["liver", "tumor"], ["tumor", "liver"]) == ""
    said = explain_targets(["tumor"], ["tumor", "vessel"])
    assert "now also vessel. The champion is not comparable there" in said
    assert said.endswith("What both find is compared: tumor.")
    assert "refuses a model that no longer finds" in explain_targets(["liver", "tumor"], ["tumor"])
    assert "no target in common" in explain_targets(["tumor"], ["vessel"])
