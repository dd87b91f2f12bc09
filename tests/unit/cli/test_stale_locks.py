import json
import subprocess
import sys
from pathlib import Path

import pytest

from lesionflow.cli.stale_locks import RWLOCK, release_stale_locks


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / RWLOCK
    path.parent.mkdir(parents=True)
    return path


def _holder(pid: int) -> dict[str, object]:
    return {"pid": pid, "cmd": "dvc repro"}


@pytest.fixture
def dead() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_the_dead_lose_their_locks_and_the_living_keep_theirs(tmp_path: Path, lock: Path, dead: int) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()", "dvc", "repro"], stdin=subprocess.PIPE) as living:
        alive, gone = _holder(living.pid), _holder(dead)
        held = {"read": {"a": [gone, alive], "b": [gone]}, "write": {"c": gone, "d": alive}}
        lock.write_text(json.dumps(held))
        release_stale_locks(tmp_path)
        assert json.loads(lock.read_text()) == {"read": {"a": [alive]}, "write": {"d": alive}}
        living.kill()


def test_a_number_given_out_again_to_another_program_holds_nothing(tmp_path: Path, lock: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        lock.write_text(json.dumps({"write": {"c": _holder(other.pid)}}))
        release_stale_locks(tmp_path)
        assert json.loads(lock.read_text()) == {}
        other.kill()


def test_locks_half_written_are_none(tmp_path: Path, lock: Path) -> None:
    lock.write_text('{"read": {"a"')
    release_stale_locks(tmp_path)
    assert not lock.exists()


def test_no_locks_are_no_error(tmp_path: Path) -> None:
    release_stale_locks(tmp_path)
    assert not (tmp_path / ".dvc").exists()
