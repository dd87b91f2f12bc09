"""Where everything lies: no two things in one place, and the text of `dvc.yaml` as DVC reads it."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from lesionflow.config.presets import find_params
from lesionflow.io.stores.evaluations import HEADLINE_FILE, PLOTS
from lesionflow.steps import STEPS
from lesionflow.workspace.creation import init_workspace
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


def test_what_dvc_shows_is_among_what_evaluate_writes_and_needs_no_network():
    content = yaml.safe_load(dvc_yaml())
    shown = [*content["metrics"], *content["plots"]]
    assert shown == [f"{PATHS['evaluation']}/{name}" for name in (HEADLINE_FILE, PLOTS)]


def test_dvc_draws_the_pictures_without_another_server(tmp_path):
    """A page of `dvc plots show` loads nothing but what lies beside it."""
    work = tmp_path / "work"
    init_workspace(work, find_params("phantom_ct"))
    folder = work / PATHS["evaluation"] / PLOTS
    folder.mkdir(parents=True)
    for name in ("froc_tumor", "dice_by_size_tumor"):
        Image.new("RGB", (4, 3)).save(folder / f"{name}.png")
    subprocess.run([sys.executable, "-m", "dvc", "plots", "show", "-q"], cwd=work, check=True)
    page = (work / "dvc_plots" / "index.html").read_text()
    assert "http" not in page
    assert "<script" not in page
    pictures = re.findall('src="(.+?)"', page)
    assert len(pictures) == 2
    assert all((work / "dvc_plots" / picture).is_file() for picture in pictures)
