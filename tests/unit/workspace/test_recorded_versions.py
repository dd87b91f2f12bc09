"""The case table that `dvc.lock` names, read from DVC's cache by hashes computed here."""

import hashlib
import json
import subprocess

import pandas as pd
import pytest
import yaml

from lesionflow.data.dataset import CASE_COLUMNS
from lesionflow.errors import ConfigError
from lesionflow.io.stores.cases import TABLE, read_table, write_table
from lesionflow.workspace.recorded_versions import recorded_table
from support.case_tables import case_table


def store(work, content, ending=""):
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    path = work / ".dvc" / "cache" / "files" / "md5" / md5[:2] / (md5[2:] + ending)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5 + ending


def record(work, n_cases):
    """Put a table of so many cases into the cache and name it in `dvc.lock`."""
    folder = work / f"written-{n_cases}"
    folder.mkdir(parents=True)
    write_table(folder, case_table(n_cases))
    listing = [{"md5": store(work, (folder / TABLE).read_bytes()), "relpath": TABLE}, {"md5": "0" * 32, "relpath": "a"}]
    digest = store(work, json.dumps(listing).encode(), ".dir")
    outs = [{"path": "data/other", "md5": "1" * 32}, {"path": "data/cases", "md5": digest}]
    (work / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"ingest": {"outs": outs}}}))
    return read_table(folder)


def git(work, *arguments):
    subprocess.run(["git", "-C", str(work), *arguments], check=True, capture_output=True)


def test_nothing_recorded_is_no_table(tmp_path):
    assert recorded_table(tmp_path) is None
    (tmp_path / "dvc.lock").write_text("stages: {split: {outs: []}}\n")
    assert recorded_table(tmp_path) is None


def test_the_recorded_table_is_read_whatever_lies_in_the_folder_by_now(tmp_path):
    expected = record(tmp_path, 3)
    (tmp_path / "data" / "cases").mkdir(parents=True)
    write_table(tmp_path / "data" / "cases", case_table(7))
    found = recorded_table(tmp_path)
    pd.testing.assert_frame_equal(found, expected)
    assert len(found) == 3
    assert set(CASE_COLUMNS) <= set(found)


def test_a_revision_has_the_table_of_its_own_lock(tmp_path):
    before = record(tmp_path, 3)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "dvc.lock")
    git(tmp_path, "commit", "-q", "-m", "three")
    record(tmp_path, 5)
    pd.testing.assert_frame_equal(recorded_table(tmp_path, "HEAD"), before)
    assert len(recorded_table(tmp_path)) == 5


@pytest.mark.parametrize("revision", ["no-such-tag", "HEAD"])
def test_a_revision_without_a_lock_is_refused_with_what_to_do(tmp_path, revision):
    git(tmp_path, "init", "-q")
    with pytest.raises(ConfigError, match=r"Commit dvc\.lock"):
        recorded_table(tmp_path, revision)
