"""The same minutes of training for us and for nnU-Net's 2D configuration, on the same real patients of the same split.

    python -m benchmarks.training_budget --minutes 27

Ours are the preset's params, its minutes shared by an ensemble of all folds (`--folds one` trains one network as long).
Both sides then segment the same unseen patients, and the same code scores what they found, in the patients' own space.
nnU-Net takes part where it can be imported (`pip install nnunetv2==2.8.1`, torchvision removed beside a CPU torch), with the
cases that we learn from; it never sees the unseen ones.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.data.split import Split
from lesionflow.inference import Segmenter
from lesionflow.io.images.nifti import read_mask
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.io.stores.cases import image_path, mask_path, read_case
from lesionflow.metrics.overlap import count, dice
from lesionflow.steps import STEPS, run_step

ROOT = Path(__file__).resolve().parents[1]
STUDIES = ROOT.parent / "shared" / "data" / "sts" / "dicom"
PRESET = PRESETS_FOLDER / "sts_petct.yaml"
PREPARING = ("ingest", "validate", "split", "plan", "preprocess")
#: What nnU-Net's planner chooses for 8 GB of a GPU, 75, gives some thirty steps in half an hour on two cores.
NNUNET_BATCH = 12
MOST_EPOCHS = 1000
N_BOOTSTRAP, SEED = 10_000, 13


def main() -> None:
    """Prepare, train both, score both, print."""
    told = _arguments()
    work = (told.work or Path(tempfile.mkdtemp())).resolve()
    os.environ["LESIONFLOW_PRIVATE_DIR"] = str(work / "private")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{work / 'mlflow.db'}"
    params = load_params(told.params)
    params["train"] |= {
        "folds": told.folds,
        "max_minutes": told.minutes,
        "max_epochs": told.max_epochs,
        "early_stopping_patience_epochs": told.max_epochs,
    }
    if told.test_fraction:
        params["split"]["test_fraction"] = told.test_fraction
    paths = {"raw": told.data.resolve()}
    for name in PREPARING:
        _step(name, params, work, paths)
    split = Split.model_validate_json(paths["splits"].read_text(encoding="utf-8"))
    print(f"{len(split.train)} patients to train, {len(split.validation)} to validate, {len(split.test)} unseen")
    scores = {"lesionflow": _ours(params, work, paths, split)}
    if importlib.util.find_spec("nnunetv2"):
        scores["nnU-Net 2d"] = _theirs(told, work, paths["cases"], split)
    else:
        print("nnU-Net: not installed here")
    _show(scores)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The same minutes for us and for nnU-Net.")
    parser.add_argument("--minutes", type=float, default=27.0)
    parser.add_argument("--folds", choices=("one", "ensemble", "final"), default="ensemble")
    parser.add_argument("--max-epochs", type=int, default=MOST_EPOCHS, help="of a fold: minutes end training, not this")
    parser.add_argument("--test-fraction", type=float, default=0.0, help="instead of the preset's")
    parser.add_argument("--nnunet-batch", type=int, default=NNUNET_BATCH)
    parser.add_argument("--nnunet-mirroring", action="store_true", help="flips when it predicts: four times as long")
    parser.add_argument("--params", type=Path, default=PRESET)
    parser.add_argument("--data", type=Path, default=STUDIES)
    parser.add_argument("--work", type=Path, help="kept; a temporary folder otherwise")
    return parser.parse_args()


def _step(name: str, params: dict[str, dict[str, object]], work: Path, paths: dict[str, Path]) -> None:
    step = STEPS[name]
    outputs = {key: work / key for key in step.outputs}
    run_step(name, params[name], {key: paths[key] for key in step.inputs}, outputs)
    paths |= outputs


def _ours(params: dict[str, dict[str, object]], work: Path, paths: dict[str, Path], split: Split) -> dict[str, float]:
    began = time.perf_counter()
    _step("train", params, work, paths)
    trained = time.perf_counter()
    bundle = read_bundle(paths["bundle"])
    segmenter = Segmenter(bundle)
    found = {}
    for case_id in split.test:
        case = read_case(paths["cases"], case_id)
        found[case_id] = segmenter.segment(case.volume, case_id=case_id).mask.labels
    scores = {case_id: _dice(paths["cases"], case_id, labels) for case_id, labels in found.items()}
    print(
        f"lesionflow, {params['train']['folds']}: {bundle.card.epochs} epochs of {params['train']['batches_per_epoch']} batches in "
        f"{trained - began:.0f} s, rules and confidence fitted; {(time.perf_counter() - trained) / len(scores):.1f} s a case"
    )
    return scores


def _theirs(told: argparse.Namespace, work: Path, cases: Path, split: Split) -> dict[str, float]:
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ[name] = str(work / name)
    os.environ |= {"nnUNet_compile": "false", "nnUNet_n_proc_DA": "1"}
    raw = work / "nnUNet_raw" / "Dataset001_STS"
    prepared = work / "nnUNet_preprocessed" / raw.name
    _write_raw(raw, cases, split)
    entry = "from nnunetv2.experiment_planning.plan_and_preprocess_entrypoints import plan_and_preprocess_entry as run; run()"
    _call([sys.executable, "-c", entry, "-d", "1", "-c", "2d", "-npfp", "2", "-np", "2"])
    # Of all that our folds learn from together; nnU-Net's last weights are taken, so that its validation decides nothing.
    seen = split.train if told.folds == "one" else (*split.train, *split.validation)
    fold = {"train": list(seen), "val": list(split.validation)}
    (prepared / "splits_final.json").write_text(json.dumps([fold]), encoding="utf-8")
    program = [sys.executable, "-m", "benchmarks.nnunet_side", str(told.minutes), str(told.nnunet_batch)]
    program.append("mirroring" if told.nnunet_mirroring else "plain")
    figures = json.loads(_call(program).splitlines()[-1])
    print(
        f"nnU-Net 2d: {figures['steps']} steps of {told.nnunet_batch} in {figures['trained_s']:.0f} s; "
        f"{figures['predicted_s'] / len(split.test):.1f} s a case, {program[-1]}"
    )
    return {
        case_id: _dice(cases, case_id, read_mask(raw / "predictedTs" / f"{case_id}.nii.gz", name=case_id).labels)
        for case_id in split.test
    }


def _write_raw(raw: Path, cases: Path, split: Split) -> None:
    """Lay the cases out for nnU-Net, whose layout is ours: unseen ones apart, without their masks."""
    shutil.rmtree(raw, ignore_errors=True)
    declared = json.loads((cases / "dataset.json").read_text(encoding="utf-8"))
    seen = (*split.train, *split.validation)
    for folder, case_ids in (("imagesTr", seen), ("imagesTs", split.test)):
        (raw / folder).mkdir(parents=True)
        for case_id in case_ids:
            for number in range(len(declared["channel_names"])):
                source = image_path(cases, case_id, number)
                (raw / folder / source.name).symlink_to(source)
    (raw / "labelsTr").mkdir()
    for case_id in seen:
        (raw / "labelsTr" / mask_path(cases, case_id).name).symlink_to(mask_path(cases, case_id))
    wanted = {key: declared[key] for key in ("channel_names", "labels", "file_ending")}
    (raw / "dataset.json").write_text(json.dumps({**wanted, "numTraining": len(seen)}), encoding="utf-8")


def _dice(cases: Path, case_id: str, labels: np.ndarray) -> float:
    reference = read_case(cases, case_id).reference_mask
    return dice(count(reference.labels > 0, labels > 0))


def _call(command: list[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{command[:4]} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def _show(scores: dict[str, dict[str, float]]) -> None:
    rng = np.random.default_rng(SEED)
    for name, by_case in scores.items():
        print(f"{name:<12} Dice {_interval(np.array(list(by_case.values())), rng)}")
        print("             " + ", ".join(f"{case_id} {value:.3f}" for case_id, value in by_case.items()))
    if len(scores) == 2:
        ours, theirs = (np.array(list(by_case.values())) for by_case in scores.values())
        print(f"ours - theirs, patient by patient: {_interval(ours - theirs, rng)}")


def _interval(values: np.ndarray, rng: np.random.Generator) -> str:
    means = values[rng.integers(len(values), size=(N_BOOTSTRAP, len(values)))].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return f"mean {values.mean():.3f} [{low:.3f}, {high:.3f}], median {np.median(values):.3f}, {len(values)} patients"


if __name__ == "__main__":
    main()
