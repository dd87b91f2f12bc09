import os
import subprocess
import sys

import pytest

from lesionflow.machine import threads
from lesionflow.machine.threads import POLICY, SPINS, VARIABLES, limit_library_threads


@pytest.mark.parametrize(("cores", "bound", "told"), [(1, 2, "1"), (3, 16, "3"), (2, 2, None), (16, 16, None)])
def test_only_a_quota_is_told_to_libraries(cores, bound, told, monkeypatch):
    monkeypatch.setattr(threads, "usable_cores", lambda: cores)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(bound)))
    environment = {}
    limit_library_threads(environment)
    assert environment == dict([SPINS]) | (dict.fromkeys(VARIABLES, told) if told else {})


def test_what_somebody_has_set_stays(monkeypatch):
    monkeypatch.setattr(threads, "usable_cores", lambda: 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    environment = {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "active"}
    limit_library_threads(environment)
    assert (environment["OMP_NUM_THREADS"], environment["OMP_WAIT_POLICY"]) == ("2", "active")
    assert "GOMP_SPINCOUNT" not in environment
    assert environment["OPENBLAS_NUM_THREADS"] == "1"


def test_libraries_do_as_they_are_told():
    """numpy's BLAS and ITK, loaded where a quota leaves one core of three."""
    program = """
import os
from lesionflow.machine import threads
threads.usable_cores = lambda: 1
os.sched_getaffinity = lambda _: {0, 1, 2}
threads.limit_library_threads()
import numpy, SimpleITK
from threadpoolctl import threadpool_info
print({pool["num_threads"] for pool in threadpool_info()} | {SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads()})
"""
    environment = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{1}"


@pytest.mark.parametrize("module", ["lesionflow.serving.children.child", "lesionflow.steps", "lesionflow.cli"])
def test_torchs_threads_sleep_soon_while_they_wait_wherever_it_is_started_from(module):
    """What GNU's OpenMP itself says that it was told: nothing that a start imports may load it before."""
    program = f"""
import sys
import {module}
from lesionflow.machine.threads import limit_library_threads
assert "torch" not in sys.modules
limit_library_threads()
import torch
torch.ones(100_000).exp().sum()
"""
    environment = {key: value for key, value in os.environ.items() if key not in (POLICY, SPINS[0])}
    environment["OMP_DISPLAY_ENV"] = "VERBOSE"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    # Without, it says 300000.
    assert "GOMP_SPINCOUNT = '3000'" in done.stderr
