"""A data revision among the versions that git and DVC know, hashes computed here."""

import hashlib
import json
import shutil
import subprocess

import pytest
import yaml

from lesionflow.io.stores.tombstones import set_tombstone
from lesionflow.prediction.tracing import State
from lesionflow.workspace.data_version import find_data_version

CASES = ("c-1", "c-2")


def store(work, content, ending=""):
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    path = work / ".dvc" / "cache" / "files" / "md5" / md5[:2] / (md5[2:] + ending)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5 + ending


def record(work, keys):
    """Record arrays made from so keyed cases; return the revision of `CASES` among them, by hand, and DVC's digest."""
    index = json.dumps({case: {"key": key, "sha256": "0" * 64, "reason": ""} for case, key in keys.items()})
    listing = [{"md5": store(work, index.encode()), "relpath": "index.json"}]
    digest = store(work, json.dumps(listing).encode(), ".dir")
    stages = {
        "ingest": {"outs": [{"path": "data/cases", "md5": "1" * 32 + ".dir"}]},
        "preprocess": {"outs": [{"path": "data/preprocessed", "md5": digest}]},
    }
    (work / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    by_hand = "".join(f"{case} {keys[case]}\n" for case in CASES)
    return hashlib.sha256(by_hand.encode()).hexdigest(), digest


def git(work, *words):
    identity = ["-c", "user.name=n", "-c", "user.email=e@e"]
    return subprocess.run(
        ["git", "-C", str(work), *identity, *words], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def work(tmp_path):
    """One committed version, and another that is not."""
    git(tmp_path, "init", "-q")
    first = record(tmp_path, {"c-1": "k1", "c-2": "k2", "c-9": "k9"})
    git(tmp_path, "add", "dvc.lock")
    git(tmp_path, "commit", "-q", "-m", "one")
    second = record(tmp_path, {"c-1": "k1", "c-2": "changed"})
    return tmp_path, first, second


def test_a_committed_version_is_told_by_its_commit_and_dvcs_digests(work):
    folder, (revision, digest), _ = work
    found = find_data_version(folder, CASES, revision)
    commit = git(folder, "rev-parse", "HEAD").strip()
    assert found.state is State.HELD
    assert f"git commit {commit[:12]}" in found.detail
    assert digest in found.detail
    assert "1" * 32 in found.detail


def test_one_that_is_not_committed_says_so(work):
    folder, _, (revision, digest) = work
    found = find_data_version(folder, CASES, revision)
    assert (found.state, digest in found.detail) == (State.HELD, True)
    assert "not committed" in found.detail


@pytest.mark.parametrize("cases", [CASES, ("c-1", "c-2", "c-unknown")])
def test_a_revision_that_none_of_them_gives_is_broken(work, cases):
    found = find_data_version(work[0], cases, "f" * 64)
    assert (found.state, "none of the 2 versions" in found.detail) == (State.BROKEN, True)


def test_what_is_not_in_the_cache_or_nowhere_cant_be_checked(work, tmp_path):
    folder, (revision, _), _ = work
    shutil.rmtree(folder / ".dvc")
    found = find_data_version(folder, CASES, revision)
    assert (found.state, "dvc fetch" in found.detail) == (State.UNCHECKED, True)
    (tmp_path / "none").mkdir()
    assert find_data_version(tmp_path / "none", CASES, revision).state is State.UNCHECKED


def test_what_a_withdrawal_removed_is_not_called_fetchable(work):
    """Objects that held a withdrawn patient's data are gone from cache and remotes: no fetch brings them back."""
    folder, (revision, _), _ = work
    shutil.rmtree(folder / ".dvc")
    set_tombstone(folder / "data" / "cases", "a" * 64, withdrawn=True)
    found = find_data_version(folder, CASES, revision)
    assert found.state is State.UNCHECKED
    assert "dvc fetch" not in found.detail
    assert "1 patient was withdrawn here, and a withdrawal removes the objects" in found.detail
