"""Studies of patients do not outlive the service that received them."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from lesionflow.serving.scratch import make_temporary, remove_temporary, scratch_folder


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
    other = temporary / "lesionflow-service-notes"
    # In a container, the last service had the number of this one.
    former = temporary / f"lesionflow-service-{os.getpid()}-abc"
    for folder in (dead, other, former):
        (folder / "uploads").mkdir(parents=True)
    ours = make_temporary("model-")
    with running_service(temporary) as alive, scratch_folder():
        assert not dead.exists()
        assert not former.exists()
        assert alive.exists()
        assert ours.exists()
        assert other.exists()
    remove_temporary(ours)
    assert not ours.exists()


def test_what_a_service_leaves_that_is_killed_is_removed(temporary):
    with running_service(temporary) as left:
        pass
    assert left.exists()
    with scratch_folder():
        assert not left.exists()


@contextmanager
def running_service(temporary):
    """Another process that holds a folder, and is killed at the end."""
    program = "from lesionflow.serving.scratch import make_temporary; print(make_temporary(), flush=True); input()"
    environment = {**os.environ, "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Path(process.stdout.readline().strip())
        finally:
            process.kill()
