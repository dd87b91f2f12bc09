import subprocess

import pytest

from lesionflow.errors import ConfigError
from lesionflow.workspace.recorded_versions import cached_file
from lesionflow.workspace.versioning.dvc_places import dvc_places
from lesionflow.workspace.versioning.dvc_program import dvc_command


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A repository whose cache is somewhere else, as on a shared disk, with a recorded folder of one file."""
    # Longer than a terminal is wide: DVC's own tables would break it.
    folder = tmp_path_factory.mktemp("a" * 90) / "work"
    (folder / "cases").mkdir(parents=True)
    (folder / "cases" / "cases.parquet").write_text("a table")

    def dvc(*arguments):
        subprocess.run(dvc_command(*arguments), cwd=folder, check=True, capture_output=True)

    dvc("init", "-q", "--no-scm")
    dvc("cache", "dir", "-q", str(folder.parent / "shared-cache"))
    dvc("remote", "add", "-q", "-d", "local", "../work-store")
    dvc("remote", "add", "-q", "s3", "s3://bucket/project")
    dvc("add", "-q", "cases")
    return folder


def test_it_is_where_dvc_was_told(workspace):
    found = dvc_places(workspace)
    assert found.cache.resolve() == workspace.parent / "shared-cache"
    assert {name: path.resolve() for name, path in found.folders.items()} == {"local": workspace.parent / "work-store"}
    assert found.elsewhere == {"s3": "s3://bucket/project"}


def test_a_recorded_file_is_found_in_a_cache_elsewhere(workspace):
    digest = next(line.split()[-1] for line in (workspace / "cases.dvc").read_text().splitlines() if "md5:" in line)
    assert not (workspace / ".dvc" / "cache").exists()
    assert cached_file(workspace, digest, "cases.parquet").read_text() == "a table"
    assert cached_file(workspace, digest, "another") is None


def test_without_dvc_the_usual_place_is_meant(tmp_path):
    assert dvc_places(tmp_path) == (tmp_path / ".dvc" / "cache", {}, {})


def test_settings_that_dvc_can_not_read_are_refused(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[cache\n")
    with pytest.raises(ConfigError, match="dvc config"):
        dvc_places(tmp_path)
