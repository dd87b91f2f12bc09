"""The preset `nuclei_2d` on 110 real pictures (Data Science Bowl 2018): minutes of training, and Dice on unseen
pictures, in three splits."""

import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.steps import STEPS, run_step
from lesionflow.workspace.layout import PATHS

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT.parent / "shared" / "data" / "dsb2018"
PRESET = PRESETS_FOLDER / "nuclei_2d.yaml"
ONCE, EACH = ("ingest", "validate"), ("split", "plan", "preprocess", "train", "evaluate")
#: One split says little: which few of the rare kinds of pictures are tested on decides much.
SEEDS = (13, 1, 2)


def run() -> None:
    """Print the figures; `NUCLEI_PICTURES` names another folder of pictures."""
    pictures = Path(os.environ.get("NUCLEI_PICTURES", PICTURES))
    if not pictures.is_dir():
        print("\nNuclei: skipped, no real pictures at ../shared/data/dsb2018")
        return
    params = load_params(PRESET)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        os.environ["LESIONFLOW_PRIVATE_DIR"] = str(work / "private")
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{work / 'mlflow.db'}"
        paths = {key: work / path for key, path in PATHS.items()} | {"raw": pictures.resolve()}
        print("\nNuclei, preset nuclei_2d")
        for name in ONCE:
            _step(name, params, paths)
        means = []
        for seed in SEEDS:
            params["split"]["seed"] = seed
            paths |= {key: work / str(seed) / key for key in ("splits", "plan", "preprocessed", "bundle", "evaluation")}
            print(f"  split {seed}")
            for name in EACH:
                _step(name, params, paths)
            dice = json.loads((paths["evaluation"] / "metrics.json").read_text(encoding="utf-8"))["dice"]
            print(f"  Dice on unseen pictures {dice['mean']:.3f} [{dice['low']:.3f}, {dice['high']:.3f}]", flush=True)
            means.append(dice["mean"])
    print(f"  mean of {len(means)} splits {statistics.mean(means):.3f}, from {min(means):.3f} to {max(means):.3f}")


def _step(name: str, params: dict[str, dict[str, object]], paths: dict[str, Path]) -> None:
    step = STEPS[name]
    began = time.perf_counter()
    inputs, outputs = ({key: paths[key] for key in keys} for keys in (step.inputs, step.outputs))
    counts = run_step(name, params[name], inputs, outputs)
    told = ", ".join(f"{key} {value:.4g}" for key, value in counts.items())
    print(f"  {name:<10} {time.perf_counter() - began:7.1f} s  {told}", flush=True)
