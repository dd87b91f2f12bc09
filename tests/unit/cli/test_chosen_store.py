"""Which store and which model a command means."""

import argparse

import pytest

from lesionflow.cli import chosen_store, main
from lesionflow.config import Settings
from lesionflow.errors import ConfigError
from support.stores import empty_store

NAME = "lesionflow-knees"


def test_the_workspaces_own_store_is_meant_unless_the_environment_names_one(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "dvc.yaml").write_text("")
    parsed = argparse.Namespace(workdir=tmp_path / "work")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert chosen_store.settings_of(parsed).tracking_uri == "http://mlflow:5000"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert chosen_store.settings_of(parsed).tracking_uri == f"sqlite:///{tmp_path / 'work' / 'mlflow.db'}"
    with pytest.raises(ConfigError, match=r"Expected a workspace at .*elsewhere"):
        chosen_store.settings_of(argparse.Namespace(workdir=tmp_path / "elsewhere"))


def test_the_name_of_the_model_may_come_from_the_environment(here, monkeypatch):
    assert chosen_store.model_name(None, Settings()) == NAME
    monkeypatch.setenv("LESIONFLOW_MODEL_NAME", "lesionflow-knee")
    assert chosen_store.model_name(NAME, Settings()) == NAME
    with pytest.raises(ConfigError, match=f"'lesionflow-knee' in .*, found {NAME}. Did you mean {NAME}?"):
        chosen_store.model_name(None, Settings())


def test_an_empty_store_has_no_model_to_mean(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path / "empty"))
    monkeypatch.delenv("LESIONFLOW_MODEL_NAME", raising=False)
    with pytest.raises(ConfigError, match=r"found none: no run has registered one there yet\. `lesionflow run`"):
        chosen_store.model_name(None, Settings())


@pytest.mark.parametrize("action", [["list"], ["history"], ["rollback", "--name", "A. Smith", "--reason", "why"]])
def test_before_the_first_run_its_command_is_told(action, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(tmp_path)
    assert main(["models", *action]) == 5
    assert "no run was made here yet. Give `lesionflow run`, which" in capsys.readouterr().err
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["models", *action, "--workdir", str(tmp_path)]) == 5
    assert f"Give `lesionflow run --workdir {tmp_path}`" in capsys.readouterr().err
    assert not (tmp_path / "mlflow.db").exists()
