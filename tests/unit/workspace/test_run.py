"""Running a workspace: DVC's own lines go by with a count before each stage, and its exit code is told."""

import os
import sys

import pytest

from lesionflow.steps import STEPS
from lesionflow.workspace import run as runner

SCRIPT = """
import os, sys
print("Running stage 'ingest':")
print()
print("> lesionflow ingest")
print("Stage 'validate' didn't change, skipping")
print(os.environ["MLFLOW_TRACKING_URI"], os.environ["PATH"].split(os.pathsep)[0], os.getcwd())
print(os.environ["LESIONFLOW_WITHIN_RUN"])
sys.exit(int(os.environ.get("CODE", "0")))
"""


@pytest.fixture
def dvc(tmp_path, monkeypatch):
    """A `dvc` that says what it is told, in the workspace that stands first on the path of modules."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "dvc.py").write_text(SCRIPT)
    return tmp_path / "work"


def test_stages_are_counted_and_other_lines_pass(dvc, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    said = []
    assert runner.run_workspace(dvc, said.append) == 0
    first, command, second, about, within = said
    assert within.strip(), "the step `promote` leaves the decision to who runs it"
    assert first.startswith(f"[1/{len(STEPS)}, ")
    assert first.endswith("s] Running stage 'ingest':\n")
    assert command == "> lesionflow ingest\n"
    assert second.startswith(f"[2/{len(STEPS)}, ")
    store, first_on_path, folder = about.split()
    assert store == f"sqlite:///{dvc}/mlflow.db"
    assert first_on_path == os.path.dirname(sys.executable)  # noqa: PTH120 - a virtual environment's link is not followed
    assert folder == str(dvc)


def test_a_failed_stage_is_told_by_its_code_and_a_store_that_is_named_stays(dvc, monkeypatch):
    monkeypatch.setenv("CODE", "5")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    said = []
    assert runner.run_workspace(dvc, said.append) == 5
    assert said[-2].startswith("http://elsewhere ")
