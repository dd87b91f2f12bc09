"""The change plan of a workspace: laid once, followed by nobody's edits."""

import shutil

import pytest

from lesionflow.config.change_plan import CHANGE_PLAN
from lesionflow.config.presets import PRESETS
from lesionflow.config.presets.change_plans import CHANGE_PLANS
from lesionflow.errors import ConfigError
from lesionflow.workspace.change_plan_file import (
    is_own_change_plan,
    make_change_plan,
    read_fitting_plan,
    take_change_plan,
)
from lesionflow.workspace.params_file import PARAMS

PHANTOM, STS = (PRESETS / f"{name}.yaml" for name in ("phantom_ct", "sts_petct"))


def _of(name):
    return (CHANGE_PLANS / f"{name}.yaml").read_bytes()


def test_it_follows_the_params_until_somebody_edits_it(tmp_path):
    path = tmp_path / CHANGE_PLAN
    assert "that of the preset phantom_ct" in take_change_plan(tmp_path, PHANTOM)
    assert path.read_bytes() == _of("phantom_ct")
    assert take_change_plan(tmp_path, PHANTOM) == ""
    assert not is_own_change_plan(path)
    assert take_change_plan(tmp_path, STS)
    assert path.read_bytes() == _of("sts_petct")
    path.write_text(path.read_text().replace("looks: 20", "looks: 5"))
    assert is_own_change_plan(path)
    assert take_change_plan(tmp_path, PHANTOM) == ""
    assert "looks: 5" in path.read_text()


def test_ones_own_params_bring_their_own_plan_or_that_for_any(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("ingest: {}\n")
    work = tmp_path / "work"
    work.mkdir()
    assert "all targets alike" in take_change_plan(work, own)
    assert (work / CHANGE_PLAN).read_bytes() == _of("any")
    (tmp_path / CHANGE_PLAN).write_bytes(_of("liver_2d") + b"# ours\n")
    assert take_change_plan(work, own) == f"{CHANGE_PLAN} is {tmp_path / CHANGE_PLAN}"
    assert (work / CHANGE_PLAN).read_bytes().endswith(b"# ours\n")


def test_an_old_workspace_gets_that_of_its_preset(tmp_path):
    shutil.copyfile(STS, tmp_path / PARAMS)
    with pytest.raises(ConfigError, match="lesionflow change-plan make"):
        read_fitting_plan(tmp_path)
    assert "sts_petct" in make_change_plan(tmp_path)
    assert make_change_plan(tmp_path) == ""
    assert read_fitting_plan(tmp_path).primary.metric == "dice"


def test_a_plan_of_other_targets_is_refused_before_anything_is_trained(tmp_path):
    shutil.copyfile(PHANTOM, tmp_path / PARAMS)
    shutil.copyfile(CHANGE_PLANS / "liver_2d.yaml", tmp_path / CHANGE_PLAN)
    with pytest.raises(ConfigError, match=r"noninferiority\.0\.target: expected one of all, tumor, found 'liver'"):
        read_fitting_plan(tmp_path)
