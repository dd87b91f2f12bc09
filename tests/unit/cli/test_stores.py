"""Which store and which model a command means."""

import argparse

import pytest

from lesionflow.cli import stores
from lesionflow.config import Settings
from lesionflow.errors import ConfigError
from support.stores import empty_store

NAME = "lesionflow-knees"


def test_the_workspaces_own_store_is_meant_unless_the_environment_names_one(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "dvc.yaml").write_text("")
    parsed = argparse.Namespace(workdir=tmp_path / "work")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert stores.settings_of(parsed).tracking_uri == "http://mlflow:5000"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert stores.settings_of(parsed).tracking_uri == f"sqlite:///{tmp_path / 'work' / 'mlflow.db'}"
    with pytest.raises(ConfigError, match=r"Expected a workspace at .*elsewhere"):
        stores.settings_of(argparse.Namespace(workdir=tmp_path / "elsewhere"))


def test_the_name_of_the_model_may_come_from_the_environment(here, monkeypatch):
    assert stores.model_name(None, Settings()) == NAME
    monkeypatch.setenv("LESIONFLOW_MODEL_NAME", "lesionflow-knee")
    assert stores.model_name(NAME, Settings()) == NAME
    with pytest.raises(ConfigError, match=f"'lesionflow-knee' in .*, found {NAME}. Did you mean {NAME}?"):
        stores.model_name(None, Settings())


def test_an_empty_store_has_no_model_to_mean(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path / "empty"))
    monkeypatch.delenv("LESIONFLOW_MODEL_NAME", raising=False)
    with pytest.raises(ConfigError, match=r"found none\. Name it with --model-name"):
        stores.model_name(None, Settings())
