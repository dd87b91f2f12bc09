from pathlib import Path

import pytest

from lesionflow.cli.workspace_commands import link_raw
from lesionflow.errors import ConfigError
from lesionflow.workspace.raw_studies import record_new_studies


def test_studies_are_linked_never_copied(tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    studies.mkdir()
    link_raw(tmp_path / "work", studies)
    link_raw(tmp_path / "work", studies)
    assert (tmp_path / "work" / "data" / "raw").resolve() == studies
    with pytest.raises(ConfigError, match="found none"):
        link_raw(tmp_path / "work", tmp_path / "absent")


def test_real_studies_in_the_way_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "work" / "data" / "raw").mkdir(parents=True)
    (tmp_path / "studies").mkdir()
    with pytest.raises(ConfigError, match="Move your studies"):
        link_raw(tmp_path / "work", tmp_path / "studies")


def test_a_workspace_without_studies_is_told_how_they_come_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Add them by `lesionflow data add STUDIES`"):
        record_new_studies(tmp_path, relinked=False, say=lambda _: None)
    assert not list(tmp_path.iterdir())
