import errno
import hashlib
import json
import os
import signal
import subprocess
import sys

import pytest

from lesionflow.data.ledger import EntryKind
from lesionflow.errors import ArtifactError, MachineError
from lesionflow.io.stores.ledger import (
    append_entry,
    describe_ledger,
    ledger_path,
    note_read,
    read_ledger,
)

SET = "ab" * 32
FACTS = {"step": "evaluate", "run_id": "r-1", "n_cases": 5, "test_set_sha256": SET}


def read_of(path, bundle, **facts):
    note_read(path, {**FACTS, "bundle_digest": bundle, **facts})


def test_each_read_is_a_line_that_names_the_one_before(tmp_path):
    path = ledger_path(tmp_path / "data" / "splits.json")
    assert describe_ledger(path) == ("test set: never read",)
    for number in range(3):
        note_read(path, {**FACTS, "run_id": f"r-{number}"})
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [line["facts"]["run_id"] for line in lines] == ["r-0", "r-1", "r-2"]
    assert [line["sequence"] for line in lines] == [1, 2, 3]
    assert [line["previous"] for line in lines] == ["0" * 64, lines[0]["sha256"], lines[1]["sha256"]]
    assert "read 3 times" in describe_ledger(path)[0]
    assert "by evaluate for run r-2: 5 cases" in describe_ledger(path)[-1]


def forged(line):
    """A line whose digest is made to fit what was changed in it: only the next one tells."""
    content = json.loads(line.replace(b"r-0", b"r-9"))
    said = {key: value for key, value in content.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return json.dumps({**content, "sha256": digest}).encode()


@pytest.mark.parametrize(
    "harm",
    [
        lambda lines: lines[1:],
        lambda lines: [lines[0], lines[2]],
        lambda lines: [lines[1], lines[0], lines[2]],
        lambda lines: [lines[0].replace(b"r-0", b"r-9"), *lines[1:]],
        lambda lines: [forged(lines[0]), *lines[1:]],
        # The last line has nobody after it, and is told by its own digest.
        lambda lines: [*lines[:2], lines[2].replace(b"r-2", b"r-9")],
        lambda lines: [*lines[:2], lines[2].replace(b'"test_read"', b'"champion"')],
        lambda lines: [*lines[:2], b'{"at": "2026-01-01", "step": "evaluate", "previous": "0"}'],
        lambda lines: [*lines[:2], lines[2].replace(b'"test_read"', b'"coronation"')],
    ],
)
def test_a_line_that_is_changed_gone_or_put_in_shows_and_nothing_is_added_to_it(tmp_path, harm):
    path = tmp_path / "ledger.jsonl"
    for number in range(3):
        note_read(path, {**FACTS, "run_id": f"r-{number}"})
    path.write_bytes(b"\n".join(harm(path.read_bytes().splitlines())) + b"\n")
    harmed = path.read_bytes()
    with pytest.raises(ArtifactError, match="from git"):
        read_ledger(path)
    with pytest.raises(ArtifactError, match="from git"):
        note_read(path, FACTS)
    assert path.read_bytes() == harmed


def test_reads_noted_before_there_was_a_ledger_are_its_beginning(tmp_path):
    old, path = tmp_path / "test_set_reads.jsonl", tmp_path / "ledger.jsonl"
    first = json.dumps({"at": "2026-01-01T00:00:00+00:00", **FACTS, "previous": "0" * 64}).encode()
    second = json.dumps(
        {"at": "2026-01-02T00:00:00+00:00", **FACTS, "previous": hashlib.sha256(first).hexdigest()}
    ).encode()
    old.write_bytes(first + b"\n" + b'{"at": "2026-\n' + second + b"\n")
    before = old.read_bytes()
    entry = append_entry(path, EntryKind.LIFTED, {"version": "1"})
    assert (entry.sequence, entry.previous) == (3, hashlib.sha256(second).hexdigest())
    assert [e.kind for e in read_ledger(path)] == ["test_read", "test_read", "lifted"]
    assert read_ledger(path)[0].facts == FACTS
    assert old.read_bytes() == before
    old.write_bytes(before.replace(b"r-1", b"r-2"))
    with pytest.raises(ArtifactError, match="test_set_reads"):
        read_ledger(path)


def test_a_line_cut_off_by_a_full_disk_hides_nothing(tmp_path):
    path = tmp_path / "ledger.jsonl"
    note_read(path, FACTS)
    with path.open("ab") as file:
        file.write(b'{"sequence": 2, "at": "2026-')
    note_read(path, {**FACTS, "step": "promote"})
    assert [entry.facts["step"] for entry in read_ledger(path)] == ["evaluate", "promote"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [b"#" + line for line in lines],
        lambda lines: [*lines[:2], b"#" + lines[2]],
        lambda lines: [*lines[:1], lines[1][:40], lines[2][:40]],
        lambda lines: [*lines[:2], b"<<<<<<< HEAD", lines[2]],
        lambda _: [b"\xff\xfe\x00" * 9],
        lambda lines: [*lines, b"[" * 100_000],
        lambda lines: [*lines[:2], b'{"sequence": 3, "at": "2026-'],
        lambda lines: [*lines[:2], b"\0" * 40],
    ],
    ids=[
        "all commented out",
        "the last commented out",
        "two cut short",
        "a merge in git",
        "no text",
        "nested deep",
        "the last cut short",
        "the last wiped",
    ],
)
def test_a_ledger_that_was_spoiled_is_not_a_shorter_one(tmp_path, spoil):
    path = tmp_path / "ledger.jsonl"
    for bundle in ("one", "two", "three"):
        read_of(path, bundle)
    path.write_bytes(b"".join(line + b"\n" for line in spoil(path.read_bytes().splitlines())))
    with pytest.raises(ArtifactError, match=r"to be an entry or the beginning of one.*restore it from git"):
        read_ledger(path)


@pytest.mark.parametrize("left", [b'{"seq', b'{"sequence": ', b'{"sequence": 3, "at": "20', b"\0" * 40])
def test_what_a_kill_leaves_of_a_line_is_passed_over(tmp_path, left):
    path = tmp_path / "ledger.jsonl"
    for bundle in ("one", "two"):
        read_of(path, bundle)
    path.write_bytes(path.read_bytes() + left)
    read_of(path, "three")
    assert [entry.facts["bundle_digest"] for entry in read_ledger(path)] == ["one", "two", "three"]


@pytest.mark.parametrize(
    "left", [b'{"sequence": 3, nonsense', b'{"sequence": 3} and more', b'{"sequence": 3, "at": 2026-', b"garbage"]
)
def test_what_no_kill_can_have_left_is_told_though_no_line_ends_behind_it(tmp_path, left):
    path = tmp_path / "ledger.jsonl"
    for bundle in ("one", "two"):
        read_of(path, bundle)
    path.write_bytes(path.read_bytes() + left)
    with pytest.raises(ArtifactError, match=r"line 3 .*restore it from git"):
        append_entry(path, EntryKind.LIFTED, {"version": "1"})


def test_every_part_of_a_line_that_a_kill_can_leave_is_passed_over(tmp_path):
    path = tmp_path / "ledger.jsonl"
    read_of(path, "one")
    before = path.read_bytes()
    said = {
        "yes": True,
        "no": False,
        "none": None,
        "figures": [-1.5e-07, 12, 0.25, 1e22],
        "words": 'a "b" \\ \u00fc \U0001f600',
    }
    append_entry(path, EntryKind.DECISION, {**said, "nested": [{"a": {}}, []]})
    line = path.read_bytes()[len(before) :]
    for length in range(1, len(line) - 1):
        path.write_bytes(before + line[:length])
        assert len(read_ledger(path)) == 1, line[:length]
        path.write_bytes(before + line[:length] + b"\0" * 7)
        assert len(read_ledger(path)) == 1, line[:length]
    # Whole but for its end, it is an entry.
    path.write_bytes(before + line[:-1])
    assert append_entry(path, EntryKind.LIFTED, {"version": "1"}).sequence == 3


def test_what_was_cut_off_by_an_earlier_version_stands_before_the_entry_that_followed(tmp_path):
    path = tmp_path / "ledger.jsonl"
    for bundle in ("one", "two"):
        read_of(path, bundle)
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b'{"sequence": 2, "at": "2026-\n' + second)
    assert [entry.facts["bundle_digest"] for entry in read_ledger(path)] == ["one", "two"]


def test_a_key_that_stands_twice_is_refused_though_its_last_value_fits_the_digest(tmp_path):
    path = tmp_path / "ledger.jsonl"
    read_of(path, "one")
    line = path.read_bytes()
    path.write_bytes(line.replace(b'"bundle_digest": "one"', b'"bundle_digest": "two", "bundle_digest": "one"'))
    with pytest.raises(ArtifactError, match=r"line 1 .*'bundle_digest' twice.*from git"):
        read_ledger(path)


@pytest.mark.parametrize("line", [b"5", b"[]", b"{}"])
def test_reads_of_before_that_are_no_reads_are_told(tmp_path, line):
    (tmp_path / "test_set_reads.jsonl").write_bytes(line + b"\n")
    with pytest.raises(ArtifactError, match="other keys or another kind"):
        read_ledger(tmp_path / "ledger.jsonl")


def test_a_full_disk_is_the_machines_fault_and_hides_nothing(tmp_path, monkeypatch):
    path = tmp_path / "ledger.jsonl"
    note_read(path, FACTS)
    original = os.write

    def half(file, content):
        if len(content) < 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(file, content[: len(content) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(MachineError, match="no space left"):
            append_entry(path, EntryKind.LIFTED, {"version": "1"})
    assert append_entry(path, EntryKind.LIFTED, {"version": "2"}).sequence == 2
    assert [entry.kind for entry in read_ledger(path)] == ["test_read", "lifted"]


def test_a_kill_right_after_does_not_undo_a_read_and_writers_at_once_lose_none(tmp_path):
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
    entries = read_ledger(path)
    assert [entry.sequence for entry in entries] == list(range(1, 76))
    assert {e.facts["run_id"] for e in entries} == {f"{name}{i}" for name in "abc" for i in range(25)}
