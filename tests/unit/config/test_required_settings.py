"""A setting that is missing is missed by name, and no value is told."""

import json
from pathlib import Path

import pytest

from lesionflow.config.required_settings import REQUIRED, require_stated_settings
from lesionflow.errors import ConfigError
from lesionflow.steps import run_step

SECRET = "s3cret-value"


def stated(*names: str) -> dict[str, str]:
    return {REQUIRED: json.dumps({name: f"key k of Secret of-{n}" for n, name in enumerate(names)})}


def test_without_a_statement_nothing_is_required():
    require_stated_settings({})
    require_stated_settings({REQUIRED: ""})


def test_what_is_there_passes(tmp_path: Path):
    (tmp_path / "key").write_text("x")
    require_stated_settings(stated("MLFLOW_TRACKING_URI", str(tmp_path / "key")) | {"MLFLOW_TRACKING_URI": "http://m"})


def test_every_missing_or_empty_setting_is_named_with_its_source_and_no_value_is_told(tmp_path: Path):
    (tmp_path / "empty").touch()
    names = ("A_THERE", "B_GONE", "C_BLANK", str(tmp_path / "gone"), str(tmp_path / "empty"))
    with pytest.raises(ConfigError) as refused:
        require_stated_settings(stated(*names) | {"A_THERE": SECRET, "C_BLANK": " "})
    said = str(refused.value)
    assert "4 missing or empty" in said
    for name, source in zip(names[1:], ("of-1", "of-2", "of-3", "of-4"), strict=True):
        assert f"{name} (key k of Secret {source})" in said
    assert "A_THERE" not in said
    assert SECRET not in said


@pytest.mark.parametrize("broken", ["{", "[]", "3"])
def test_a_statement_that_is_none_is_refused(broken: str):
    with pytest.raises(ConfigError, match=REQUIRED):
        require_stated_settings({REQUIRED: broken})


def test_a_step_looks_before_it_does_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(REQUIRED, json.dumps({"LESIONFLOW_PSEUDONYM_KEY": "key `key` of Secret lesionflow-pseudonym"}))
    monkeypatch.delenv("LESIONFLOW_PSEUDONYM_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"LESIONFLOW_PSEUDONYM_KEY \(key `key` of Secret lesionflow-pseudonym\)"):
        run_step("ingest", {}, {"raw": tmp_path / "raw"}, {"cases": tmp_path / "cases"})
    assert list(tmp_path.iterdir()) == []
