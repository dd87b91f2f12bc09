import json
import subprocess
import sys
from pathlib import Path

import pytest

from lesionflow.workspace.stale_locks import LOCK_FILE, RWLOCK, drop_torn_lock_file, release_stale_locks


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


def test_a_lock_file_half_written_is_made_again_by_running_nothing_again(tmp_path: Path) -> None:
    """Real DVC: it writes the file in place, refuses a torn one, and has what stages made in its run cache."""

    def dvc(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dvc", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    dvc("init", "-q")
    (tmp_path / "in.txt").write_text("1")
    # A stage that counts how often it ran.
    command = "cp in.txt out.txt && echo x >> ran.log"
    (tmp_path / "dvc.yaml").write_text(
        json.dumps({"stages": {"copy": {"cmd": command, "deps": ["in.txt"], "outs": ["out.txt"]}}})
    )
    assert dvc("repro").returncode == 0
    path = tmp_path / LOCK_FILE
    whole = path.read_bytes()
    drop_torn_lock_file(tmp_path)
    assert path.read_bytes() == whole
    refused = 0
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        drop_torn_lock_file(tmp_path)
        if length % 49 == 0:
            refused += dvc("repro").returncode
            assert (tmp_path / "out.txt").read_text() == "1"
    assert refused == 0
    assert (tmp_path / "ran.log").read_text() == "x\n"
