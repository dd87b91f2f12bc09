"""One content has one hash, wherever and whenever it lies; what was touched is read again, and nothing else."""

import hashlib
import os
import time

import pytest

from lesionflow.io.attestations import content
from lesionflow.io.attestations.content import recorded_sha256, sha256_of_content


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "cases"
    (made / "b").mkdir(parents=True)
    (made / "b" / "two").write_bytes(b"2")
    (made / "one").write_bytes(b"1")
    (made / ".hidden").write_bytes(b"no part of it")
    return made


@pytest.fixture
def n_read(monkeypatch):
    """Count the files that are read."""
    read = []

    def seen(files, workers):
        read.append(sorted(files))
        return hash_files(files, workers)

    hash_files = content.hash_files
    monkeypatch.setattr(content, "hash_files", seen)
    return read


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_folder_is_what_sha256sum_says_of_its_files_a_bundle_its_sums_and_a_file_its_bytes(folder, tmp_path):
    expected = sha256(f"{sha256('2')}  b/two\n{sha256('1')}  one\n")
    assert sha256_of_content(folder, tmp_path / "memory", workers=1) == expected
    moved = folder.rename(tmp_path / "other")
    assert sha256_of_content(moved, tmp_path / "memory", workers=2) == expected
    assert sha256_of_content(moved / "one", tmp_path / "memory", workers=1) == sha256("1")
    (moved / "SHA256SUMS").write_text("sums")
    assert sha256_of_content(moved, tmp_path / "memory", workers=1) == sha256("sums")


def test_only_what_was_touched_is_read_again(folder, tmp_path, n_read, monkeypatch):
    memory = tmp_path / "memory"
    first = sha256_of_content(folder, memory, workers=1)
    # Written a moment ago, it is not believed yet; two seconds later it is.
    monkeypatch.setattr(content, "CLOCK_SLACK_NS", -int(60e9))
    assert sha256_of_content(folder, memory, workers=1) == first
    assert sha256_of_content(folder, memory, workers=1) == first
    assert n_read == [["b/two", "one"], ["b/two", "one"], []]
    state = (folder / "one").stat()
    (folder / "one").write_bytes(b"!")
    os.utime(folder / "one", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert sha256_of_content(folder, memory, workers=1) != first
    assert n_read[-1] == ["one"]


def test_another_folder_put_in_its_place_is_read_whatever_its_times(folder, tmp_path, n_read, monkeypatch):
    monkeypatch.setattr(content, "CLOCK_SLACK_NS", -int(60e9))
    older = tmp_path / "older"
    older.mkdir()
    (older / "one").write_bytes(b"x")
    time.sleep(0.01)
    memory = tmp_path / "memory"
    sha256_of_content(folder, memory, workers=1)
    folder.rename(tmp_path / "aside")
    older.rename(folder)
    assert sha256_of_content(folder, memory, workers=1) == sha256(f"{sha256('x')}  one\n")
    assert n_read[-1] == ["one"]


@pytest.mark.parametrize("harm", ["{", "[]", '{"one": [[1], "a"]}', '{"one": 3}'])
def test_a_memory_that_was_harmed_is_none(folder, tmp_path, harm, monkeypatch):
    monkeypatch.setattr(content, "CLOCK_SLACK_NS", -int(60e9))
    memory = tmp_path / "memory"
    first = sha256_of_content(folder, memory, workers=1)
    (known,) = memory.iterdir()
    known.write_text(harm)
    assert sha256_of_content(folder, memory, workers=1) == first


def test_studies_are_told_by_their_recorded_manifest(folder):
    assert recorded_sha256(folder) is None
    folder.with_name("cases.sha256").write_text("a manifest")
    assert recorded_sha256(folder) == sha256("a manifest")
