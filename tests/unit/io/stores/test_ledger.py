import hashlib
import json
import os
import signal
import subprocess
import sys

import pytest

from lesionflow.errors import ArtifactError
from lesionflow.io.stores.ledger import describe_ledger, ledger_path, note_read, read_ledger

FACTS = {"step": "evaluate", "run_id": "r-1", "n_cases": 5, "test_set_sha256": "ab" * 32}


def test_each_read_is_a_line_that_names_the_one_before(tmp_path):
    path = ledger_path(tmp_path / "data" / "splits.json")
    assert describe_ledger(path) == ("test set: never read",)
    for number in range(3):
        note_read(path, {**FACTS, "run_id": f"r-{number}"})
    lines = path.read_bytes().splitlines()
    assert [json.loads(line)["run_id"] for line in lines] == ["r-0", "r-1", "r-2"]
    assert json.loads(lines[2])["previous"] == hashlib.sha256(lines[1]).hexdigest()
    assert read_ledger(path)[0]["previous"] == "0" * 64
    assert "read 3 times" in describe_ledger(path)[0]
    assert "by evaluate for run r-2: 5 cases" in describe_ledger(path)[-1]


@pytest.mark.parametrize(
    "harm", [lambda lines: lines[1:], lambda lines: [lines[0].replace(b"r-0", b"r-9"), *lines[1:]]]
)
def test_a_line_that_is_changed_or_gone_shows(tmp_path, harm):
    path = tmp_path / "ledger.jsonl"
    for number in range(3):
        note_read(path, {**FACTS, "run_id": f"r-{number}"})
    path.write_bytes(b"\n".join(harm(path.read_bytes().splitlines())) + b"\n")
    with pytest.raises(ArtifactError, match="changed or gone"):
        read_ledger(path)


def test_a_line_cut_off_by_a_full_disk_stays_and_hides_nothing(tmp_path):
    path = tmp_path / "ledger.jsonl"
    note_read(path, FACTS)
    with path.open("ab") as file:
        file.write(b'{"at": "2026-')
    note_read(path, {**FACTS, "step": "promote"})
    assert [entry["step"] for entry in read_ledger(path)] == ["evaluate", "promote"]


def test_a_kill_right_after_does_not_undo_a_read_and_readers_at_once_lose_none(tmp_path):
    path = tmp_path / "ledger.jsonl"
    code = (
        "import os, signal, sys; from pathlib import Path; from lesionflow.io.stores.ledger import note_read\n"
        "for i in range(25): note_read(Path(sys.argv[1]), {'step': 'evaluate', 'run_id': sys.argv[2] + str(i)})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    others = [
        subprocess.Popen([sys.executable, "-c", code, str(path), name], env={**os.environ}) for name in ("a", "b", "c")
    ]
    assert [process.wait() for process in others] == [-signal.SIGKILL] * 3
    assert len(read_ledger(path)) == 75
