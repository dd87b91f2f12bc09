import os
import subprocess
import sys

import pytest

from lesionflow.errors import ConfigError, ServiceError
from lesionflow.io.stores.raw_manifest import record
from lesionflow.workspace.data_at_revision import find_revision, studies_at


def _git(folder, *words):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    return subprocess.run(
        ["git", *identity, "-C", str(folder), *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def _dvc(folder, *words):
    subprocess.run([sys.executable, "-m", "dvc", *words], cwd=folder, check=True, capture_output=True)


def _add(folder, name, text):
    (folder / "data" / "raw").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "raw" / name).write_text(text)
    record(folder / "data" / "raw", workers=1)
    _dvc(folder, "add", "-q", "data/raw", "data/raw.sha256")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-qm", name)
    return _git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A workspace with two revisions of studies in a folder remote, and a commit that changes none."""
    folder = tmp_path_factory.mktemp("team")
    _git(folder, "init", "-q", "-b", "main")
    (folder / ".dvc").mkdir()
    config = f"[core]\n    remote = store\n    analytics = false\n['remote \"store\"']\n    url = {tmp_path_factory.mktemp('remote')}\n"
    (folder / ".dvc" / "config").write_text(config)
    (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    first = _add(folder, "one.txt", "1")
    _git(folder, "tag", "v1")
    second = _add(folder, "two.txt", "22")
    (folder / "README").write_text("no study")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-qm", "words")
    _dvc(folder, "push", "-q", "--all-commits")
    return folder, first, second


def test_a_revision_is_the_commit_that_last_changed_the_studies(repository):
    folder, first, second = repository
    assert find_revision("", str(folder), "") == find_revision("", str(folder), "main") == second
    assert find_revision("", str(folder), "v1") == find_revision("", str(folder), first) == first


def test_the_studies_of_a_revision_come_with_their_manifest_and_go_again(repository):
    folder, first, _ = repository
    with studies_at("", str(folder), first, "") as raw:
        assert [(one.name, one.read_text()) for one in raw.iterdir()] == [("one.txt", "1")]
        assert raw.with_name("raw.sha256").read_text().endswith("  raw/one.txt\n")
    assert not raw.exists()


def test_a_cache_that_pods_share_is_filled_once_and_what_is_nowhere_is_told(repository, tmp_path, monkeypatch):
    folder, first, second = repository
    monkeypatch.setenv("LESIONFLOW_DATA_CACHE", str(tmp_path / "cache"))
    with studies_at("", str(folder), second, "store") as raw:
        assert sorted(one.name for one in raw.iterdir()) == ["one.txt", "two.txt"]
    kept = {path.read_text() for path in (tmp_path / "cache" / "files").rglob("*") if path.is_file()}
    assert {"1", "22"} < kept
    monkeypatch.delenv("LESIONFLOW_DATA_CACHE")
    with (
        pytest.raises(ServiceError, match="`dvc pull` failed"),
        studies_at("", str(folder), first, str(tmp_path / "no")),
    ):
        pass


def test_a_folder_is_named_by_its_content_wherever_it_lies(tmp_path):
    for place in ("here", "there"):
        (tmp_path / place / "sub").mkdir(parents=True)
        (tmp_path / place / "sub" / "a").write_text("1")
        os.utime(tmp_path / place / "sub" / "a", (len(place), len(place)))
    here, there = (find_revision(str(tmp_path / place), "", "") for place in ("here", "there"))
    assert here == there
    (tmp_path / "there" / "sub" / "a").write_text("2")
    assert find_revision(str(tmp_path / "there"), "", "") != here
    with studies_at(str(tmp_path / "here"), "", here, "") as raw:
        assert raw == tmp_path / "here"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("", "", ""), "neither"),
        (("/raw", "/git", ""), "both"),
        (("/raw", "", "v1"), "both"),
        (("/no/such", "", ""), "folder of studies"),
    ],
)
def test_what_is_asked_must_be_one_thing(words, told):
    with pytest.raises(ConfigError, match=told):
        find_revision(*words)


def test_what_is_not_there_is_told_and_no_password_is(repository, tmp_path):
    folder, *_ = repository
    with pytest.raises(ConfigError, match="'v9'"):
        find_revision("", str(folder), "v9")
    with pytest.raises(ServiceError, match="clone the data repository") as told:
        find_revision("", f"file://user:hidden@{tmp_path}/none", "")
    assert "hidden" not in str(told.value)
    _git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "README").write_text("nothing")
    _git(tmp_path, "add", "-A")
    _git(tmp_path, "commit", "-qm", "x")
    with pytest.raises(ConfigError, match="only linked is not recorded"):
        find_revision("", str(tmp_path), "")
