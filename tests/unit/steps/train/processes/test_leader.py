"""Two processes that train one network, on CPUs: each case and sample once, one writer, the weights of one process."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from lesionflow.errors import ConfigError
from lesionflow.io.stores.bundles import WEIGHTS, read_bundle
from lesionflow.registry.tracking import Tracker
from lesionflow.steps import run_step
from support.training_workspace import TWO_FOLDS, make_inputs, make_plan, train_params

REPO = Path(__file__).resolve().parents[5]
#: No step is scaled by its own size, nothing is dropped: halves of a batch then say together what the whole says.
SUM = {"loss": "dice_bce", "optimizer": "sgd", "learning_rate": 1e-2, "precision": "float32"}
#: Nine slices in batches of at most four: the processes have unequal numbers of them to validate on.
BRIEF = {**SUM, "folds": "final", "max_epochs": 2, "batches_per_epoch": 6, "max_validation_slices_per_case": 9}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    plan = make_plan()
    options = {**plan.architecture.options, "dropout_fraction": 0.0}
    plan = plan.model_copy(update={"architecture": plan.architecture.model_copy(update={"options": options})})
    return folder, make_inputs(folder, plan, folds=TWO_FOLDS)


@pytest.fixture(autouse=True)
def store(workspace, monkeypatch):
    uri = f"sqlite:///{workspace[0] / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("LESIONFLOW_WORKERS", "1")
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")
    return uri


def train(workspace, name, **changes):
    folder, inputs = workspace
    counts = run_step("train", train_params(REPO, **{**BRIEF, **changes}), inputs, {"bundle": folder / name})
    return counts, read_bundle(folder / name)


def history(store, run_id, metric):
    return [m.value for m in Tracker(store, "blobs").client.get_metric_history(run_id, metric)]


@pytest.fixture(scope="module")
def two(workspace):
    """Two folds and a last network, each by two processes."""
    with pytest.MonkeyPatch.context() as patch:
        store.__wrapped__(workspace, patch)
        return train(workspace, "two", devices=2)[1]


def test_two_processes_train_the_networks_of_one(workspace, store, two):
    _, one = train(workspace, "one")
    for name, weights in one.weights.items():
        np.testing.assert_allclose(two.weights[name], weights, rtol=1e-5, atol=2e-6)
    assert [fold.epochs for fold in two.card.folds] == [fold.epochs for fold in one.card.folds] == [2, 2]
    # The same samples, the same slices, each once: losses and Dice are those of one process.
    for mine, theirs in zip(two.card.folds, one.card.folds, strict=True):
        for metric in ("train/loss", "val/loss", "val/dice", "val/dice_pooled"):
            figures = history(store, mine.run_id, metric)
            assert figures == pytest.approx(history(store, theirs.run_id, metric), rel=1e-4), metric
            assert len(figures) == 2, "one process logs"
    assert sorted(p.name for p in workspace[0].iterdir() if p.name.startswith("two")) == ["two"]


def test_killed_in_the_second_fold_two_processes_end_and_started_again_give_the_same_bytes(workspace, two):
    folder, inputs = workspace
    bundle = folder / "killed"
    script = textwrap.dedent(f"""
        import sys
        sys.path[:0] = [{str(REPO / "tests")!r}]
        from pathlib import Path
        from lesionflow.steps import run_step
        from support.training_workspace import train_params
        inputs = { ({k: str(v) for k, v in inputs.items()})!r}
        run_step("train", train_params(Path({str(REPO)!r}), **{BRIEF!r}, devices=2),
                 {{k: Path(v) for k, v in inputs.items()}}, {{"bundle": Path({str(bundle)!r})}})
    """)
    process = subprocess.Popen([sys.executable, "-c", script])
    checkpoint, deadline = folder / "killed.work" / "fold-1" / "last.ckpt", time.monotonic() + 120
    while not checkpoint.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (worker,) = psutil.Process(process.pid).children()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert worker.wait(timeout=30) != 0, "a worker does not outlive its leader"
    assert not bundle.exists()
    _, again = train(workspace, "killed", devices=2)
    assert (bundle / WEIGHTS).read_bytes() == (folder / "two" / WEIGHTS).read_bytes()
    assert again.calibration == two.calibration


def test_several_machines_need_a_meeting_place(workspace, monkeypatch):
    for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=r"MASTER_ADDR, MASTER_PORT, NODE_RANK.*train\.nodes 2"):
        train(workspace, "refused", nodes=2)
