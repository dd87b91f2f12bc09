"""Are failures of trained networks found? Each patient of the real data segmented by a network that never saw them, and what is told of their masks.

The pipeline's own steps train a network a fold on the sarcomas (CT and PET, volumes) and on the lung nodules (CT crops, slices); each patient is then segmented by
the one network whose fold left them out, as `train` does for the confidence of a bundle, by the params' mask rules. Trainings are of a few epochs, so that
two cores end in minutes. Needs the real data beside the repository: python -m benchmarks.confidence_networks
"""

import argparse
import os
import pickle
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.confidence_failures import N_FITTED, tell_small
from lesionflow.calibration.confidence_fits import fit_volume
from lesionflow.calibration.dice_fits import FAILED_DICE, fit_dice, leave_patients_out
from lesionflow.calibration.mask_rules import RuleCase
from lesionflow.config import Settings, TrainConfig, load_params
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.data.bundle import Bundle
from lesionflow.data.calibration import MaskRules
from lesionflow.inference import Segmenter
from lesionflow.inference.lesion_probabilities import TargetProbabilities
from lesionflow.io.stores.cases import read_case, read_patients
from lesionflow.metrics.ranking import rank
from lesionflow.registry.tracking import Tracker
from lesionflow.steps import STEPS, run_step
from lesionflow.steps.train.compute import Compute
from lesionflow.steps.train.mlflow_record import open_record
from lesionflow.steps.train.processes.leader import process_group
from lesionflow.steps.train.runner import Runner
from lesionflow.steps.train.training_inputs import load_inputs
from lesionflow.steps.train.work_folder import WorkFolder

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
STEPS_RUN = ("ingest", "validate", "split", "plan", "preprocess")
#: Folder, preset, how many patients at most, and what of its params differs: crops of a few voxels are let in, trainings are short, and nearly everybody validates once.
SETS: dict[str, tuple[str, str, int, dict[str, dict[str, Any]]]] = {
    "sarcomas": (
        "sts/dicom",
        "sts_petct",
        1000,
        {
            "split": {"test_fraction": 0.05, "n_folds": 3},
            "plan": {
                "cascade": False,
                "inference": {
                    "overlap_fraction": 0.25,
                    "flip_axes": [],
                    "probability_threshold": 0.5,
                    "min_lesion_ml": 2.0,
                    "fill_holes": True,
                },
            },
            "train": {"averaging_decay": 0.0, "max_validation_slices_per_case": 4},
        },
    ),
    "nodules": (
        "lidc_nodules",
        "phantom_ct",
        120,
        {
            "ingest": {"max_rejected_fraction": 1.0},
            "validate": {"min_shape": [1, 8, 8], "max_quarantined_fraction": 1.0},
            "split": {"test_fraction": 0.02, "n_folds": 3},
            # Most nodules are smaller than the preset's smallest lesion.
            "plan": {
                "spacing_mm": ["auto", 0.7, 0.7],
                "patch_size": [3, 32, 32],
                "inference": {
                    "overlap_fraction": 0.25,
                    "flip_axes": [],
                    "probability_threshold": 0.4,
                    "min_lesion_ml": 0.0,
                    "fill_holes": True,
                },
            },
            "train": {"max_validation_slices_per_case": 1},
        },
    ),
}


class Seen(NamedTuple):
    """What was found of a case by a network that never saw the patient, its Dice and its true volume."""

    patient: str
    found: TargetProbabilities
    dice: float
    true_ml: float


def main() -> None:
    """Train, measure, print; what was measured is kept in the work folder, and a second call only prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=list(SETS))
    parser.add_argument("--epochs", type=int, default=8, help="of each network, 25 steps each")
    parser.add_argument("--patients", type=int, help="of crops at most; without, as many as stand in SETS")
    parser.add_argument("--batches", type=int, help="of an epoch; without, the preset's")
    parser.add_argument("--work", type=Path, help="kept; a temporary folder otherwise")
    told = parser.parse_args()
    work = (told.work or Path(tempfile.mkdtemp())).resolve()
    os.environ["LESIONFLOW_PRIVATE_DIR"] = str(work / "private")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{work / 'mlflow.db'}"
    for name in told.sets:
        known = work / f"{name}.pickle"
        if not known.exists():
            known.write_bytes(pickle.dumps(_measure(*_train(name, work / name, told))))
        _tell(name, pickle.loads(known.read_bytes()))


def _train(name: str, work: Path, told: argparse.Namespace) -> tuple[Path, tuple[Bundle, ...]]:
    """Run the pipeline up to the networks of all folds, without what a bundle needs besides."""
    folder, preset, most_patients, changes = SETS[name]
    params = load_params(PRESETS_FOLDER / f"{preset}.yaml")
    for section, values in changes.items():
        params[section] |= values
    params["train"] |= {"folds": "ensemble", "max_minutes": 600.0, "max_epochs": told.epochs}
    if told.batches:
        params["train"]["batches_per_epoch"] = told.batches
    paths = {"raw": _some(DATA / folder, told.patients or most_patients, work)}
    for step in STEPS_RUN:
        outputs = {key: work / key for key in STEPS[step].outputs}
        if not all(path.exists() for path in outputs.values()):
            run_step(step, params[step], {key: paths[key] for key in STEPS[step].inputs}, outputs)
        paths |= outputs
    config, settings = TrainConfig.model_validate(params["train"]), Settings()
    with process_group(config, paths, settings, "cpu") as processes:
        inputs = load_inputs(config, paths, settings)
        compute = Compute("cpu", settings.workers, processes)
        own = WorkFolder.beside(work / "bundle", inputs.key)
        tracker = Tracker(settings.tracking_uri, inputs.plan.dataset.name)
        with open_record(tracker, own, inputs.combined, "cpu") as record:
            return paths["cases"], Runner(inputs, compute, own, tracker).train(record).out_of_fold_models


def _some(studies: Path, most_patients: int, work: Path) -> Path:
    """Return a folder of the first so many patients of crops, linked; of studies by folder all."""
    images = sorted((studies / "image").glob("*.nii.gz"))
    if not images:
        return studies
    chosen = sorted({path.name.split("_")[0] for path in images})[:most_patients]
    for path in (*images, *(studies / "nodule_mask").glob("*.nii.gz")):
        link = work / "raw" / path.parent.name / path.name
        if path.name.split("_")[0] in chosen and not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    return work / "raw"


def _measure(cases: Path, models: Sequence[Bundle]) -> list[Seen]:
    patients, seen = read_patients(cases), []
    for model in models:
        segmenter, rules = Segmenter(model, device="cpu"), MaskRules.of_plan(model.plan.inference)
        for case_id in model.card.validation_cases:
            case = replace(read_case(cases, case_id), patient_id=patients[case_id])
            seen.append(_seen(RuleCase.of(case, segmenter.ask(case.volume, case_id=case_id), model.plan), rules))
    return seen


def _seen(case: RuleCase, rules: MaskRules) -> Seen:
    labels = case.predict(rules, 1.0)
    (found,), (score,) = case.measure_probabilities(labels, 1.0), case.score(labels)
    true_ml = float(np.count_nonzero(case.reference())) * case.geometry.voxel_volume_ml
    return Seen(case.patient_id, found, score, true_ml)


def _tell(name: str, seen: list[Seen]) -> None:
    table = pd.DataFrame(seen)
    scores, patients, found = table["dice"].to_numpy(), list(table["patient"]), list(table["found"])
    print(
        f"\n{name}: {len(seen)} cases of {len(set(patients))} patients, mean Dice {scores.mean():.3f}, median {np.median(scores):.3f}, "
        f"{np.mean(scores < FAILED_DICE):.0%} below {FAILED_DICE}"
    )
    fitted = fit_dice(found, scores, patients)
    rule = fitted.review
    print(
        f"  AUROC, patients left out       {rule.auroc:.3f} [{rule.auroc_low:.3f}, {rule.auroc_high:.3f}], {rule.n_failed} patients failed"
    )
    signs = pd.DataFrame([one.signs for one in found]).assign(expected_dice=[one.expected_dice for one in found])
    for sign in signs:
        print(f"    {f'of {sign} alone':28} {rank(signs[sign].to_numpy(), scores < FAILED_DICE).area:.3f} by case")
    print(
        f"  error of the predicted Dice    {fitted.mean_absolute_error:.3f}; always saying the mean {np.abs(scores - scores.mean()).mean():.3f}"
    )
    if rule.below is not None:
        print(
            f"  review below {rule.below:.2f}: stated recall {rule.recall:.0%} ({rule.recall_low:.0%} to {rule.recall_high:.0%}), "
            f"precision {rule.precision:.0%}, {rule.flagged_fraction:.0%} of masks"
        )
    _tell_interval(table)
    if len(set(patients)) > 2 * N_FITTED:
        tell_small(found, scores, np.array(patients))


def _tell_interval(table: pd.DataFrame) -> None:
    """Fit on all patients but one, again and again, and say how often the one's true volume lies within."""
    predicted, true = np.array([one.volume_ml for one in table["found"]]), table["true_ml"].to_numpy()
    names, inside = table["patient"].to_numpy(dtype=str), np.zeros(len(table), dtype=bool)
    for rest, own in leave_patients_out(names):
        fitted = fit_volume(predicted[rest], true[rest], list(names[rest]))
        bounds = np.array([fitted.around(volume) for volume in predicted[own]])
        inside[own] = (bounds[:, 0] - 1e-9 <= true[own]) & (true[own] <= bounds[:, 1] + 1e-9)
    print(
        f"  volume interval                {fitted.coverage:.0%} promised, holds for {inside.mean():.0%} of cases left out"
    )


if __name__ == "__main__":
    main()
