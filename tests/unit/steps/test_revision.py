"""Which code is running: git's own word, what an image says, or that nobody knows."""

import subprocess

import pytest

from lesionflow.steps.revision import CODE_REVISION_VARIABLE, UNKNOWN, code_revision


def git(folder, *arguments):
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repo(tmp_path, monkeypatch):
    monkeypatch.delenv(CODE_REVISION_VARIABLE, raising=False)
    git(tmp_path, "init", "-q")
    (tmp_path / "code.py").write_text("one")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def test_it_is_gits_commit_and_says_when_code_was_changed_since(repo):
    head = git(repo, "rev-parse", "HEAD")
    assert len(head) == 40
    assert code_revision(repo) == head
    (repo / "notes").write_text("untracked")
    assert code_revision(repo) == head
    (repo / "code.py").write_text("two")
    assert code_revision(repo) == f"{head}-dirty"


def test_a_tag_is_no_revision(repo):
    git(repo, "tag", "-a", "v1", "-m", "one")
    assert code_revision(repo) == git(repo, "rev-parse", "HEAD")


def test_what_an_image_says_goes_before(repo, monkeypatch):
    monkeypatch.setenv(CODE_REVISION_VARIABLE, "abc")
    assert code_revision(repo) == "abc"


def test_an_installed_package_or_no_repo_is_unknown(repo, tmp_path_factory):
    installed = repo / "lib" / "site-packages" / "lesionflow"
    installed.mkdir(parents=True)
    assert code_revision(installed) == UNKNOWN
    assert code_revision(tmp_path_factory.mktemp("alone")) == UNKNOWN


def test_without_git_it_is_unknown(repo, monkeypatch):
    monkeypatch.setenv("PATH", str(repo))
    assert code_revision(repo) == UNKNOWN
