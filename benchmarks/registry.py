"""How long a bundle of 100 MB takes to register, to verify and to roll back to, and a retraining with nothing new: python -m benchmarks registry

Commands are given as at a terminal, so their seconds hold Python's own start. Seconds of a processor stand beside those of the clock: on a busy machine they
are what the command costs.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.large_ct import make_model
from lesionflow.data.bundle import Bundle
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.registered_bundles import register_bundle
from lesionflow.registry.tracking import Tracker
from lesionflow.workspace.layout import dvc_yaml

NAME, N_MB, N_VERSIONS = "lesionflow-large", 100, 2
BY = ("--name", "A. Smith", "--reason", "measured")


def run() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as made:
        work = Path(made) / "work"
        work.mkdir()
        (work / "dvc.yaml").write_text(dvc_yaml(), encoding="utf-8")
        uri = f"sqlite:///{work / 'mlflow.db'}"
        tracker = Tracker(uri, "large")
        for number in range(N_VERSIONS):
            run_id = tracker.start_run(f"train {number}")
            write_bundle(work / "candidate", _bundle(number, run_id))
            _tell(
                f"register {N_MB} MB (version {number + 1})",
                lambda run_id=run_id: register_bundle(
                    tracker, run_id, work / "candidate", NAME, program=MLFLOW_PROGRAM, tags={}
                ),
            )
        for number in range(1, N_VERSIONS + 1):
            _tell(f"models promote {number}", lambda number=number: _call(work, "promote", str(number), *BY))
        _tell(f"models verify {N_VERSIONS}", lambda: _call(work, "verify", str(N_VERSIONS)))
        _tell("models rollback", lambda: _call(work, "rollback", *BY))


def _bundle(seed: int, run_id: str) -> Bundle:
    """A bundle whose weights are noise, which nothing packs: N_MB of them."""
    about = make_model(1.0).bundle
    weights = np.random.default_rng(seed).normal(size=(N_MB, 1 << 18)).astype(np.float32)
    return Bundle(about.plan, {"head.weight": weights}, about.card.model_copy(update={"run_id": run_id}))


def _call(work: Path, *words: str) -> None:
    command = [sys.executable, "-m", "lesionflow", "models", *words, "--workdir", str(work)]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "LESIONFLOW_"))}
    subprocess.run(command, env=kept, capture_output=True, check=True)


def _tell(what: str, call: Callable[[], object]) -> None:
    began, before = time.perf_counter(), _processor_s()
    call()
    print(f"  {what:32} {time.perf_counter() - began:6.2f} s, {_processor_s() - before:6.2f} s of a processor")


def _processor_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
