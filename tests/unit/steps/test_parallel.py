"""Work on many cases at once."""

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from lesionflow.errors import InputError
from lesionflow.steps import STEPS
from lesionflow.steps.parallel import map_cases, prepare_workers

LONGEST_S = 60


def _note(folder: Path, number: int) -> int:
    if number == 3:
        raise InputError("Expected no three.", reason="three")
    (folder / str(number)).touch()
    return number**2


def test_workers_begin_before_anybody_asks_for_results(tmp_path):
    results = map_cases(partial(_note, tmp_path), range(5), name=str, workers=2, what="Squaring")
    until = time.monotonic() + LONGEST_S
    while len(list(tmp_path.iterdir())) < 4:
        assert time.monotonic() < until, "nothing was begun"
        time.sleep(0.01)
    found = dict(results)
    assert isinstance(found.pop(3), InputError)
    assert found == {number: number**2 for number in (0, 1, 2, 4)}


def test_one_worker_works_as_it_is_asked(tmp_path):
    results = map_cases(partial(_note, tmp_path), (1, 2), name=str, workers=1, what="Squaring")
    assert not list(tmp_path.iterdir())
    assert dict(results) == {1: 1, 2: 4}


@pytest.mark.parametrize("step", [step for step in STEPS.values() if step.loaded_by_workers], ids=lambda s: s.module)
def test_what_workers_load_ahead_loads_no_network_library(step):
    assert loaded(step.loaded_by_workers) & {"torch", "mlflow", "pytorch_lightning"} == set()


@pytest.mark.parametrize(
    ("name", "theirs"), [("plan", {"nibabel", "scipy"}), ("preprocess", {"nibabel", "scipy", "blosc2"})]
)
def test_a_step_leaves_the_libraries_of_its_workers_to_them(name, theirs):
    assert loaded([STEPS[name].module]) & theirs == set()
    assert loaded(STEPS[name].loaded_by_workers) >= theirs


def loaded(modules):
    told = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_preparing_for_one_worker_starts_nothing():
    prepare_workers(["no.such.module"], 1)
