import sys

import pytest

from lesionflow.errors import ConfigError
from lesionflow.workspace.versioning import program


def test_dvc_is_that_of_the_python_that_runs_us():
    assert program.dvc_command("repro", "train") == [sys.executable, "-m", "dvc", "repro", "train"]


def test_without_dvc_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("lesionflow.machine.extras.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"lesionflow\[workspace\]"):
        program.dvc_command("repro")
