"""Lists of cases in the forms that people have them."""

import json

import pytest

from lesionflow.errors import ConfigError
from lesionflow.io.exchange.case_lists import read_case_list

FORMS = {
    "lines": "c-2\n\n c-1 \nc-2\n",
    "list": json.dumps(["c-2", "c-1"]),
    "folds": json.dumps([{"train": ["c-1"], "val": ["c-2"]}, {"train": ["c-2"], "val": ["c-1"]}]),
    "mapping": json.dumps(
        {
            "cases": [
                {"case_id": c, "patient_id": "p", "use": u}
                for c, u in (("c-1", "train"), ("c-2", "train"), ("c-3", "test"))
            ]
        }
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_says_the_same(tmp_path, form):
    (tmp_path / "stated").write_text(FORMS[form])
    assert read_case_list(tmp_path / "stated") == ("c-1", "c-2")


def test_an_empty_list_is_a_statement(tmp_path):
    (tmp_path / "stated").write_text("[]")
    assert read_case_list(tmp_path / "stated") == ()


@pytest.mark.parametrize("text", ['{"cases": 1}', "[1]", '[{"train": []}]', "[", '{"a": 1}'])
def test_anything_else_is_refused(tmp_path, text):
    (tmp_path / "stated").write_text(text)
    with pytest.raises(ConfigError, match="Expected a list of case names"):
        read_case_list(tmp_path / "stated")
    with pytest.raises(ConfigError, match="can't be read"):
        read_case_list(tmp_path / "absent")
