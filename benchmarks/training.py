"""From cases to batches: plan and preprocessing of the 25 real patients, and whether the loader keeps ahead of the network.

nnU-Net is timed in the same run where it is installed (`pip install nnunetv2==2.8.1`, torchvision removed beside a CPU torch).
"""

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import psutil
import torch
import yaml

from benchmarks.timing import show
from lesionflow.config import Settings, TrainConfig, load_params
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.steps import run_step
from lesionflow.steps.train.data_loading import make_data
from lesionflow.steps.train.runner import make_recipe
from lesionflow.steps.train.training_inputs import load_inputs
from lesionflow.training.losses import LOSSES, over_outputs
from lesionflow.training.module import make_optimizer

ROOT = Path(__file__).resolve().parents[1]
STUDIES = ROOT.parent / "shared" / "data" / "sts" / "dicom"
#: By slices, as nnU-Net's 2D plan; by volumes.
PRESET, VOLUMES = (PRESETS_FOLDER / f"{name}.yaml" for name in ("sts_petct_2d", "sts_petct"))
#: Steps timed with each source of batches, and how many of one source at a time.
ROUNDS, STEPS_A_ROUND = 8, 4
#: Seconds between two looks at the memory.
LOOK_S = 0.2
NNUNET = (
    "from nnunetv2.experiment_planning.plan_and_preprocess_entrypoints import plan_and_preprocess_entry as run; run()"
)


def run() -> None:
    """Print the figures."""
    if not STUDIES.is_dir():
        print("\nTraining: skipped, no real studies at ../shared/data/sts")
        return
    params = load_params(PRESET)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        os.environ["LESIONFLOW_PRIVATE_DIR"] = str(work / "private")
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{work / 'mlflow.db'}"
        paths = {name: work / name for name in ("cases", "validation", "splits", "plan", "preprocessed")}
        run_step("ingest", params["ingest"], {"raw": STUDIES}, {"cases": paths["cases"]})
        run_step("validate", params["validate"], {"cases": paths["cases"]}, {"validation": paths["validation"]})
        before = {key: paths[key] for key in ("cases", "validation")}
        run_step("split", params["split"], before, {"splits": paths["splits"]})
        _prepare(work, paths, params)
        _nnunet(work, paths["cases"])
        _loader(params["train"], paths)
        _loader_of_volumes(work, paths)


def _prepare(work: Path, paths: dict[str, Path], params: dict[str, dict[str, object]]) -> None:
    """Each step in a process of its own, as DVC runs it: libraries loaded anew. First at nnU-Net's spacing, then at the preset's."""
    fine = {**params, "plan": {**params["plan"], "spacing_mm": ["auto", "auto", "auto"]}}
    for what, chosen in (("the spacing that nnU-Net chooses", fine), ("the preset's spacing", params)):
        file = work / "params.yaml"
        file.write_text(yaml.safe_dump(chosen), encoding="utf-8")
        paths["plan"].unlink(missing_ok=True)
        shutil.rmtree(paths["preprocessed"], ignore_errors=True)
        seconds, peaks = {}, []
        for name, inputs in (("plan", ("cases", "splits")), ("preprocess", ("cases", "plan"))):
            output = {"plan": "plan", "preprocess": "preprocessed"}[name]
            command = [
                sys.executable,
                "-m",
                "lesionflow",
                name,
                "--params",
                str(file),
                f"--{output}",
                str(paths[output]),
            ]
            command += [part for key in inputs for part in (f"--{key}", str(paths[key]))]
            began = time.perf_counter()
            peaks.append(_call(command, work))
            seconds[f"lesionflow {name}"] = [time.perf_counter() - began]
        seconds["lesionflow plan + preprocess"] = [sum(value[0] for value in seconds.values())]
        show(f"25 patients, CT + PET, {what}, {Settings().workers} workers", seconds)
        print(f"  peak memory of all processes {max(peaks):.0f} MB")


def _nnunet(work: Path, cases: Path) -> None:
    if importlib.util.find_spec("nnunetv2") is None:
        print("  nnU-Net: not installed here")
        return
    raw = work / "nnUNet_raw" / "Dataset001_STS"
    # Our cases have nnU-Net's raw layout.
    shutil.copytree(cases, raw)
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ[name] = str(work / name)
    command = [sys.executable, "-c", NNUNET, "-d", "1", "-c", "2d", "-npfp", "2", "-np", "2"]
    began = time.perf_counter()
    peak = _call(command, work)
    show("nnU-Net, 2 processes", {"fingerprint + plan + preprocess, 2d": [time.perf_counter() - began]})
    print(f"  peak memory of all processes {peak:.0f} MB")
    (plans,) = (work / "nnUNet_preprocessed").rglob("nnUNetPlans.json")
    configuration = json.loads(plans.read_text(encoding="utf-8"))["configurations"]["2d"]
    network = configuration["architecture"]["arch_kwargs"]
    for key in ("spacing", "median_image_size_in_voxels", "patch_size", "batch_size", "normalization_schemes"):
        print(f"  nnU-Net's {key}: {configuration[key]}")
    print(f"  nnU-Net's features_per_stage: {network['features_per_stage']}")


def _loader_of_volumes(work: Path, before: dict[str, Path]) -> None:
    """The same for a 3D network, by a plan and arrays of its own."""
    params = load_params(VOLUMES)
    paths = {**before, **{name: work / "volumes" / name for name in ("plan", "preprocessed")}}
    for name, inputs, output in (
        ("plan", ("cases", "splits"), "plan"),
        ("preprocess", ("cases", "plan"), "preprocessed"),
    ):
        run_step(name, params[name], {key: paths[key] for key in inputs}, {output: paths[output]})
    _loader(params["train"], paths)


def _loader(train: dict[str, object], paths: dict[str, Path]) -> None:
    """Steps in turn on fresh batches and on one repeated batch: what the loader costs beside the network."""
    settings = Settings(device="cpu")
    torch.set_num_threads(settings.workers)
    inputs = load_inputs(TrainConfig.model_validate(train), paths, settings)
    (task,) = inputs.tasks
    data = make_data(task, inputs.cases, n_loaders=0)
    network = task.build_network().train()
    optimizer, loss = make_optimizer(network, make_recipe(task, task.config.max_minutes)), LOSSES[task.config.loss]

    def step(batches: Iterator[tuple[torch.Tensor, torch.Tensor]]) -> None:
        image, target = next(batches)
        optimizer.zero_grad()
        over_outputs(loss, network(image), target).backward()
        optimizer.step()

    fresh = (data.patches.finish(batch) for batch in data.train_dataloader())
    sources = {"fresh batches": fresh, "one repeated batch": cycle([next(fresh)])}
    seconds: dict[str, list[float]] = {name: [] for name in sources}
    for batches in sources.values():
        step(batches)
    for _ in range(min(ROUNDS, (data.batches_per_epoch - 2) // STEPS_A_ROUND)):
        for name, batches in sources.items():
            for _ in range(STEPS_A_ROUND):
                seconds[name].append(_timed(lambda b=batches: step(b)))
    plan = task.plan
    show(f"Training steps of {plan.batch_size} patches of {plan.patch_size}, {plan.architecture.name}", seconds)
    fresh_s, repeated_s = (statistics.median(values) for values in seconds.values())
    print(f"  a step with the loader takes {fresh_s / repeated_s:.3f} of one without")


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _call(command: list[str], folder: Path) -> float:
    """Run a command; return the most memory, in MB, that it and its processes held together, looked at all the time."""
    peak = 0.0
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        while process.poll() is None:
            peak = max(peak, _held_mb(process.pid))
            time.sleep(LOOK_S)
    if process.returncode:
        raise SystemExit(f"{command[:4]} failed:\n{(folder / 'log.txt').read_text(encoding='utf-8')[-3000:]}")
    return peak


def _held_mb(pid: int) -> float:
    """Return what a process and those that it started hold; a page that n of them share counts as an n-th in each."""
    total = 0
    with suppress(psutil.Error):
        family = psutil.Process(pid)
        for process in (family, *family.children(recursive=True)):
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total / 1e6
