"""Whose replaced studies are locked test cases; read from real studies in `tests/unit/cli/cohort/test_data_commands.py`."""

import pytest

from lesionflow.data.split import Fold, Split
from lesionflow.io.stores.splits import write_split
from lesionflow.workspace import replaced_studies
from lesionflow.workspace.replaced_studies import tell_replaced


@pytest.mark.parametrize(
    ("replaced", "told"),
    [
        ((), ""),
        (("c-8", "c-9"), ""),
        (("c-1", "c-9"), "Files of a locked test case were replaced (c-1): with the next run"),
        (("c-2", "c-1"), "Files of 2 locked test cases were replaced (c-1, c-2): with the next run"),
    ],
)
def test_only_test_cases_are_told(tmp_path, monkeypatch, replaced, told):
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(replaced_studies, "_cases_of", lambda *_: set(replaced))
    assert tell_replaced(tmp_path, [tmp_path / "file"], None, None) == "", "nothing is locked before there is a split"
    fold = Fold(train=("c-8",), validation=("c-9",))
    split = Split(seed=1, fold=0, folds=(fold,), test=("c-1", "c-2"), test_patients=("p-1",), other_patients=("p-2",))
    write_split(tmp_path / "data" / "splits.json", split)
    said = tell_replaced(tmp_path, [tmp_path / "file"] if replaced else [], None, None)
    assert said.startswith(told)
    assert bool(said) == bool(told)
