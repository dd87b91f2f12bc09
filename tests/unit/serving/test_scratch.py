"""Studies of patients do not outlive the service that received them."""

import os
import subprocess
import sys

import pytest

from lesionflow.serving.scratch import make_temporary, scratch_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_it_is_private_while_used_and_gone_afterwards(temporary):
    with scratch_folder() as folder:
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "study").write_bytes(b"x")
    assert list(temporary.iterdir()) == []


def test_what_a_killed_service_left_is_removed_and_nothing_else(temporary):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = temporary / f"lesionflow-service-{ended.pid}-abc"
    alive = temporary / f"lesionflow-service-{os.getppid()}-abc"
    other = temporary / "lesionflow-service-notes"
    # In a container, the last service had the number of this one.
    former = temporary / f"lesionflow-service-{os.getpid()}-abc"
    for folder in (dead, alive, other, former):
        (folder / "uploads").mkdir(parents=True)
    ours = make_temporary("model-")
    with scratch_folder():
        assert not dead.exists()
        assert not former.exists()
        assert alive.exists()
        assert ours.exists()
        assert other.exists()
