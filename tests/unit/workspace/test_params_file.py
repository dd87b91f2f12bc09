"""Params that somebody edited are never replaced unasked, and what is there is named."""

import pytest

from lesionflow.config.presets import find_params
from lesionflow.errors import ConfigError
from lesionflow.workspace.params_file import describe_params, is_edited, require_params, take_params

CT, PETCT = find_params("phantom_ct"), find_params("sts_petct")


def edited(path):
    path.write_bytes(path.read_bytes() + b"# mine\n")


def test_a_preset_that_nobody_edited_gives_way_with_a_word(tmp_path):
    assert take_params(tmp_path, CT) == "params.yaml is the preset phantom_ct"
    assert take_params(tmp_path, CT) == ""
    assert take_params(tmp_path, PETCT) == "params.yaml is the preset sts_petct; it was the preset phantom_ct"
    assert (tmp_path / "params.yaml").read_bytes() == PETCT.read_bytes()


def test_an_edited_file_stays_unless_it_is_asked_for(tmp_path):
    take_params(tmp_path, CT)
    edited(tmp_path / "params.yaml")
    before = (tmp_path / "params.yaml").read_bytes()
    with pytest.raises(
        ConfigError, match=r"found an edited file: the preset sts_petct would replace it.*--replace-params"
    ):
        take_params(tmp_path, PETCT)
    assert (tmp_path / "params.yaml").read_bytes() == before
    assert "it was an edited file" in take_params(tmp_path, PETCT, replace=True)
    assert (tmp_path / "params.yaml").read_bytes() == PETCT.read_bytes()


def test_a_file_of_the_users_own_may_be_edited_where_it_lies(tmp_path):
    own, work = tmp_path / "own.yaml", tmp_path / "work"
    own.write_bytes(CT.read_bytes() + b"# one\n")
    work.mkdir()
    take_params(work, own)
    edited(own)
    assert take_params(work, own) == f"params.yaml is {own}; it was a file that was taken over before"
    assert (work / "params.yaml").read_bytes() == own.read_bytes()
    edited(work / "params.yaml")
    assert is_edited(work)
    with pytest.raises(ConfigError, match="found an edited file"):
        take_params(work, own)


def test_a_workspace_of_another_preset_is_named(tmp_path):
    require_params(tmp_path, PETCT)
    take_params(tmp_path, CT)
    require_params(tmp_path, CT)
    assert describe_params(tmp_path) == "the preset phantom_ct"
    with pytest.raises(
        ConfigError, match=r"the preset sts_petct, found the preset phantom_ct in .*Nothing was changed"
    ):
        require_params(tmp_path, PETCT)
