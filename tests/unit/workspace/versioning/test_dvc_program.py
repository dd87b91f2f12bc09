import sys

import pytest

from lesionflow.errors import ConfigError
from lesionflow.workspace.versioning import dvc_program


def test_dvc_is_that_of_the_python_that_runs_us():
    assert dvc_program.dvc_command("repro", "train") == [sys.executable, "-m", "dvc", "repro", "train"]


def test_without_dvc_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("lesionflow.machine.extras.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"lesionflow\[workspace\]"):
        dvc_program.dvc_command("repro")
