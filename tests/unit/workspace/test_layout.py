"""Where everything lies: no two things in one place, and the text of `dvc.yaml` as DVC reads it."""

import shlex
from pathlib import Path

import pytest
import yaml

from lesionflow.steps import STEPS
from lesionflow.workspace.layout import KEPT_BETWEEN_RUNS, PATHS, dvc_yaml, step_command, step_paths


def test_no_two_things_lie_in_one_place_or_in_one_another():
    places = [Path(place) for place in PATHS.values()]
    assert all(not place.is_absolute() and ".." not in place.parts for place in places)
    assert not [(a, b) for a in places for b in places if a is not b and (a == b or a in b.parents)]


@pytest.mark.parametrize("name", STEPS)
def test_a_command_names_each_place_once(name):
    words = shlex.split(step_command(name))
    assert words[:4] == ["lesionflow", name, "--params", "params.yaml"]
    inputs, outputs = step_paths(name, Path("w"))
    given = dict(zip(words[4::2], words[5::2], strict=True))
    assert {f"--{key}": str(path) for key, path in (inputs | outputs).items()} == {
        key: f"w/{place}" for key, place in given.items()
    }


def test_what_a_step_reads_before_it_writes_is_kept_by_dvc():
    stages = yaml.safe_load(dvc_yaml())["stages"]
    kept = {place for stage in stages.values() for out in stage["outs"] if isinstance(out, dict) for place in out}
    assert kept == {PATHS[key] for key in KEPT_BETWEEN_RUNS}
    # Without, DVC would remove the lock of the test set before `split` could honor it.
    assert stages["split"]["outs"] == [{"data/splits.json": {"persist": True}}]


def test_a_figure_that_dvc_shows_is_among_what_evaluate_writes():
    content = yaml.safe_load(dvc_yaml())
    shown = [*content["metrics"], *(file for plot in content["plots"] for one in plot.values() for file in one["x"])]
    assert all(Path(file).parent == Path(PATHS["evaluation"]) for file in shown)
