"""Does a model of phantoms help on real patients? The same training from fresh weights and from the phantoms' bundle.

Both are trained by the preset `sts_petct_2d` on the same patients with the same seed and shortened schedule; the source is
a model trained by the same params on synthetic CT + PET patients. Compared is the validation Dice epoch by epoch.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.phantoms import write_phantoms
from lesionflow.registry.tracking import Tracker
from lesionflow.steps import STEPS, run_step

ROOT = Path(__file__).resolve().parents[1]
STUDIES = ROOT.parent / "shared" / "data" / "sts" / "dicom"
PRESET = PRESETS_FOLDER / "sts_petct_2d.yaml"
N_PHANTOMS, N_EPOCHS, SEED = 12, 12, 7
#: Dice to be reached.
GOAL = 0.6
#: The phantoms' encoder stays as it is at first, then learns more slowly than the rest.
FINE_TUNED = {"frozen_epochs": 1, "encoder_learning_rate_fraction": 0.3}


def run() -> None:
    """Print the curves; `STS_STUDIES` names another folder of studies."""
    studies = Path(os.environ.get("STS_STUDIES", STUDIES))
    if not studies.is_dir():
        print("\nTransfer: skipped, no real studies at ../shared/data/sts")
        return
    params: Any = load_params(PRESET)
    params["train"] |= {"max_epochs": N_EPOCHS, "early_stopping_patience_epochs": N_EPOCHS}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        os.environ["LESIONFLOW_PRIVATE_DIR"] = str(work / "private")
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{work / 'mlflow.db'}"
        write_phantoms(work / "phantoms", n_cases=N_PHANTOMS, seed=SEED, modality="petct", outlines="rtstruct")
        source = _train(params, _prepare(params, work / "of_phantoms", work / "phantoms"))
        patients = _prepare(params, work / "of_patients", studies.resolve())
        curves = {}
        for name, transfer in (("fresh weights", {}), ("from phantoms", {"source": str(source), **FINE_TUNED})):
            changed = {**params, "train": {**params["train"], "transfer": {**params["train"]["transfer"], **transfer}}}
            curves[name] = _curve(_train(changed, patients))
    print(f"\nTransfer: validation Dice by epoch of {params['train']['batches_per_epoch']} batches, {N_EPOCHS} epochs")
    for name, curve in curves.items():
        reached = next((str(epoch) for epoch, dice in enumerate(curve, start=1) if dice >= GOAL), "never")
        print(
            f"  {name:<14} {' '.join(f'{dice:.3f}' for dice in curve)}; best {max(curve):.3f}, {GOAL} after: {reached}"
        )


def _prepare(params: dict[str, Any], work: Path, raw: Path) -> dict[str, Path]:
    paths = {"raw": raw}
    for name in ("ingest", "validate", "split", "plan", "preprocess"):
        step = STEPS[name]
        outputs = {key: work / key for key in step.outputs}
        run_step(name, params[name], {key: paths[key] for key in step.inputs}, outputs)
        paths |= outputs
    return paths


def _train(params: dict[str, Any], paths: dict[str, Path]) -> Path:
    bundle = paths["cases"].parent / f"bundle_{len(list(paths['cases'].parent.glob('bundle_*')))}"
    run_step("train", params["train"], {key: paths[key] for key in STEPS["train"].inputs}, {"bundle": bundle})
    return bundle


def _curve(bundle: Path) -> list[float]:
    card = read_bundle(bundle).card
    tracker = Tracker(os.environ["MLFLOW_TRACKING_URI"], card.tracking_experiment)
    return [point.value for point in tracker.client.get_metric_history(card.run_id, "val/dice")]
