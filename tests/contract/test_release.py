"""What `make release` builds, and what it refuses, tried on a small project of the same shape."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOG = "# Changelog\n\n## [Unreleased]\n{unreleased}\n## [{version}] - 2026-11-28\n\n### Added\n\n- All.\n"


def git(folder, *words):
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    package = folder / "src" / "lesionflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""A package."""\n\n__version__ = "1.20.3"\n')
    (package / "py.typed").touch()
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "release", folder / ".ci")
    for name in ("pyproject.toml", ".gitignore", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    (folder / "README.md").write_text("# A project\n")
    (folder / "requirements.lock").write_text("numpy==2.4.6\nscikit-image==0.26.0\n")
    (folder / "CHANGELOG.md").write_text(LOG.format(unreleased="", version="1.20.3"))
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "All")
    return folder


def release(folder):
    settings = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}
    return subprocess.run(
        [str(folder / ".ci" / "release")], env={**settings, "PYTHON": sys.executable}, capture_output=True, text=True,
        check=False, cwd="/",
    )  # fmt: skip


def commit(folder, name, text):
    (folder / name).write_text(text)
    git(folder, "commit", "-qam", "Change")


def test_a_release_is_a_wheel_an_sdist_a_bill_of_materials_and_their_hashes(project):
    done = release(project)
    assert done.returncode == 0, done.stdout + done.stderr
    built = {path.name: path for path in (project / "dist").iterdir()}
    wheel, sdist, bill = "lesionflow-1.20.3-py3-none-any.whl", "lesionflow-1.20.3.tar.gz", "lesionflow-1.20.3.cdx.json"
    assert set(built) == {wheel, sdist, bill, "SHA256SUMS"}
    sums = dict(reversed(line.split()) for line in built["SHA256SUMS"].read_text().splitlines())
    assert sums == {name: hashlib.sha256(built[name].read_bytes()).hexdigest() for name in (wheel, sdist, bill)}
    assert "lesionflow/py.typed" in zipfile.ZipFile(built[wheel]).namelist()
    # Nothing of when and by whom it was built: the same commit gives the same bytes.
    committed = int(git(project, "log", "-1", "--format=%ct"))
    with tarfile.open(built[sdist]) as archive:
        assert "lesionflow-1.20.3/src/lesionflow/__init__.py" in archive.getnames()
        assert {(part.mtime, part.uid, part.gid, part.uname) for part in archive} == {(committed, 0, 0, "")}
    told = json.loads(built[bill].read_text())
    assert (told["bomFormat"], told["metadata"]["component"]["name"]) == ("CycloneDX", "lesionflow")
    assert told["metadata"]["component"]["version"] == "1.20.3"
    pinned = {(part["name"], part["version"]) for part in told["components"]}
    assert pinned == {("numpy", "2.4.6"), ("scikit-image", "0.26.0")}
    assert git(project, "status", "--porcelain") == ""


def test_changes_that_are_not_committed_are_refused(project):
    (project / "new.txt").touch()
    assert_refused(project, "clean tree")


def test_a_version_that_the_change_log_does_not_know_is_refused(project):
    # A dot stands for itself alone.
    commit(project, "CHANGELOG.md", LOG.format(unreleased="", version="1x20.3"))
    assert_refused(project, r"\[1\.20\.3\]")


def test_unreleased_changes_are_not_released_under_an_older_versions_name(project):
    commit(project, "CHANGELOG.md", LOG.format(unreleased="\n### Added\n\n- More.\n", version="1.20.3"))
    assert_refused(project, "Unreleased")


def assert_refused(project, words):
    done = release(project)
    assert done.returncode == 1
    assert re.search(rf"^make release: .*{words}", done.stderr)
    assert not (project / "dist").exists()


def test_the_bill_of_materials_has_a_line_of_the_lock_each():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert lines == sorted(lines)
    assert all(re.fullmatch(r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==[\w.!]+", line) for line in lines)
