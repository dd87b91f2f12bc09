"""How far may the model's own word be relied on? Intervals, predicted Dice and the flag, on studies that no fit has seen.

Needs the demonstration's workspace (`make demo`), or another trained on phantoms: python -m benchmarks.confidence WORKSPACE
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lesionflow.calibration.confidence_fits import fit_volume
from lesionflow.calibration.fitting import fit_calibration
from lesionflow.data.bundle import Bundle
from lesionflow.data.calibration import VolumeInterval
from lesionflow.data.dataset import Dataset
from lesionflow.data.geometry import Geometry
from lesionflow.data.plan import ChannelPlan, Plan
from lesionflow.data.volume import Volume
from lesionflow.inference import Segmentation, Segmenter
from lesionflow.inference.out_of_distribution import Features, fit_profile, judge_input, measure_features
from lesionflow.io.inputs import read_input
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.io.stores.cases import read_case
from lesionflow.phantoms import make_study
from lesionflow.preprocessing import find_way_back

WORKSPACE = Path("demo")
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
#: Of phantoms that no demonstration makes.
SEED, N_UNSEEN, N_ODD, N_DRAWS = 4711, 240, 60, 1000
N_FOLDS = 5


class Outcome(NamedTuple):
    """What was said of an unseen phantom, and what is true."""

    predicted_ml: float
    true_ml: float
    inside: bool
    predicted_dice: float
    dice: float


def run(workspace: Path = WORKSPACE) -> None:
    """Print the figures."""
    if not (workspace / "models" / "candidate").is_dir():
        print(f"No bundle in {workspace}: run `make demo` first.")
        return
    bundle = _fitted(workspace)
    outcomes, features = _segment(bundle)
    _tell_intervals(bundle, outcomes)
    _tell_dice(bundle, outcomes)
    _tell_phantom_flags(bundle, features)
    if (DATA / "sts").is_dir():
        _tell_real_flags(bundle.plan)


def _fitted(workspace: Path) -> Bundle:
    bundle, cases = read_bundle(workspace / "models" / "candidate"), workspace / "data" / "cases"
    if bundle.calibration is not None:
        return bundle
    card = bundle.card
    fitted = fit_calibration(
        bundle, lambda case_id: read_case(cases, case_id), validation=card.validation_cases,
        training=card.trained_cases, device="cpu",
    )  # fmt: skip
    return replace(bundle, calibration=fitted)


def _segment(bundle: Bundle) -> tuple[list[Outcome], list[Features]]:
    segmenter, outcomes, features = Segmenter(bundle, device="cpu"), [], []
    for index in range(N_UNSEEN):
        study = make_study(SEED, index, "ct")
        volume = study.channels["CT"]
        found = segmenter.segment(volume, case_id=f"phantom {index}")
        outcomes.append(_outcome(found, study.truth.labels > 0, volume.geometry.voxel_volume_ml))
        features.append(_measure(volume, bundle.plan))
    return outcomes, features


def _outcome(found: Segmentation, truth: np.ndarray, voxel_ml: float) -> Outcome:
    (finding,) = found.findings
    mask = found.mask.labels > 0
    both = mask.sum() + truth.sum()
    dice = 2 * (mask & truth).sum() / both if both else 1.0
    true_ml = float(truth.sum()) * voxel_ml
    inside = finding.interval.low_ml - 1e-9 <= true_ml <= finding.interval.high_ml + 1e-9
    return Outcome(finding.volume_ml, true_ml, bool(inside), finding.predicted_dice.value, float(dice))


def _tell_intervals(bundle: Bundle, outcomes: list[Outcome]) -> None:
    known = bundle.calibration.targets[0].volume
    covered = np.mean([outcome.inside for outcome in outcomes])
    print(
        f"\nVolume interval of the bundle ({known.n_cases} validation cases, {known.coverage:.1%} promised), {N_UNSEEN} unseen"
    )
    print(
        f"  covers {covered:.1%}; half of them are within {np.median([_width(known, o) for o in outcomes]):.2f} x the volume"
    )
    predicted = np.array([outcome.predicted_ml for outcome in outcomes])
    true = np.array([outcome.true_ml for outcome in outcomes])
    rng = np.random.default_rng(0)
    for n in (9, 18, 24):
        shares, promised = [], 0.0
        for _ in range(N_DRAWS):
            order = rng.permutation(N_UNSEEN)
            fitted = fit_volume(predicted[order[:n]], true[order[:n]], [str(i) for i in order[:n]])
            bounds = np.array([fitted.around(volume) for volume in predicted[order[n:]]])
            rest = true[order[n:]]
            shares.append(np.mean((bounds[:, 0] - 1e-9 <= rest) & (rest <= bounds[:, 1] + 1e-9)))
            promised = fitted.coverage
        print(f"  refitted on {n:2} of them, {N_DRAWS} draws: promised {promised:.1%}, covered {np.mean(shares):.1%}")


def _width(interval: VolumeInterval, outcome: Outcome) -> float:
    low, high = interval.around(outcome.predicted_ml)
    return (high - low) / max(outcome.predicted_ml, 1.0)


def _tell_dice(bundle: Bundle, outcomes: list[Outcome]) -> None:
    said, real = np.array([o.predicted_dice for o in outcomes]), np.array([o.dice for o in outcomes])
    stated = bundle.calibration.targets[0].dice.mean_absolute_error
    print(f"\nPredicted Dice, {N_UNSEEN} unseen phantoms of mean Dice {real.mean():.3f}")
    print(f"  mean absolute error {np.abs(said - real).mean():.3f} (the bundle says {stated:.3f}), ", end="")
    print(
        f"of always saying the mean {np.abs(real - real.mean()).mean():.3f}, correlation {np.corrcoef(said, real)[0, 1]:.2f}"
    )


def _tell_phantom_flags(bundle: Bundle, features: list[Features]) -> None:
    plan, profile = bundle.plan, bundle.calibration.profile
    print(f"\nFlag, profile of {profile.n_cases} training phantoms")
    print(
        f"  {'false alarms':44} {np.mean([judge_input(f, profile).flagged for f in features]):6.1%} of {len(features)}"
    )
    bodies = [make_study(SEED, index, "ct").channels["CT"] for index in range(N_ODD)]
    odd = {name: [change(body, number) for number, body in enumerate(bodies)] for name, change in CHANGES.items()}
    odd["PET as CT"] = [make_study(SEED, index, "petct").channels["PET"] for index in range(N_ODD // 3)]
    odd["MR T1 as CT"] = [next(iter(make_study(SEED, index, "mr4").channels.values())) for index in range(N_ODD // 3)]
    if (DATA / "sts").is_dir():
        odd |= _real_volumes()
    _tell_caught(odd, lambda volume: judge_input(_measure(volume, plan), profile).flagged)


def _tell_real_flags(plan: Plan) -> None:
    """Fit a profile on real CT of soft-tissue sarcomas; everything else is odd."""
    volumes = _real_volumes()
    usual = volumes.pop(STS_CT)
    plan = plan.model_copy(update={"channels": (_channel(usual, plan.channels[0]),)})
    features = [_measure(volume, plan) for volume in usual]
    parts = [np.arange(fold, len(usual), N_FOLDS) for fold in range(N_FOLDS)]
    profiles = [fit_profile([f for i, f in enumerate(features) if i not in part]) for part in parts]
    alarms = [
        judge_input(features[i], profile).flagged for part, profile in zip(parts, profiles, strict=True) for i in part
    ]
    print(f"\nFlag, profiles of {len(usual) - len(parts[0])} real CT each, {N_FOLDS} folds")
    print(f"  {'false alarms':44} {np.mean(alarms):6.1%} of {len(alarms)}")
    odd = {name: [change(v, number) for number, v in enumerate(usual)] for name, change in CHANGES.items()}
    odd |= volumes | {"phantoms' CT": [make_study(SEED, index, "ct").channels["CT"] for index in range(N_ODD // 3)]}
    profile = fit_profile(features)
    _tell_caught(odd, lambda volume: judge_input(_measure(volume, plan), profile).flagged)


def _tell_caught(odd: Mapping[str, list[Volume]], flagged: Callable[[Volume], bool]) -> None:
    n_caught = n_all = 0
    for name, volumes in odd.items():
        caught = [flagged(volume) for volume in volumes]
        n_caught, n_all = n_caught + sum(caught), n_all + len(caught)
        print(f"  {'caught: ' + name:44} {np.mean(caught):6.1%} of {len(caught)}")
    print(f"  {'caught, all':44} {n_caught / n_all:6.1%} of {n_all}")


STS_CT = "sarcomas' CT"


def _real_volumes() -> dict[str, list[Volume]]:
    def dicom(pattern: str, kind: str) -> list[Volume]:
        folders = sorted((DATA).glob(pattern))
        return [_read(folder, kind) for folder in folders]

    found = {
        STS_CT: dicom("sts/dicom/*/CT/image", "ct"),
        "sarcomas' PET as CT": dicom("sts/dicom/*/PET/image", "pet"),
        "sarcomas' MR T1 as CT": dicom("sts/dicom/*/MR_T1/image", "mr"),
        "chest CT of a lung tumor": dicom("dicom/ibsi_ct_phantom/dicom/image", "ct"),
        "brain MR as CT": [_read(file, "mr") for file in sorted((DATA / "brats").glob("BraTS2021*/*_[ft]*.nii.gz"))],
    }
    return {name: volumes for name, volumes in found.items() if volumes}


def _read(source: Path, kind: str) -> Volume:
    return read_input(source, Dataset(name="odd", channels={"X": kind}, labels={"tumor": 1}, regions={})).volumes["X"]


def _measure(volume: Volume, plan: Plan) -> Features:
    return measure_features(volume, find_way_back(volume, plan), plan)


def _channel(volumes: list[Volume], like: ChannelPlan) -> ChannelPlan:
    tissue = np.concatenate([v.array[v.array > -500][::97] for v in volumes])
    return like.model_copy(update={"mean": float(tissue.mean()), "std": float(tissue.std())})


def _noise(volume: Volume, seed: int) -> Volume:
    values = np.random.default_rng(seed).normal(0.0, 300.0, volume.array.shape)
    return Volume(values.astype(np.float32), volume.geometry)


def _flipped(volume: Volume, _: int) -> Volume:
    return Volume(volume.array.min() + volume.array.max() - volume.array, volume.geometry)


def _unscaled(volume: Volume, _: int) -> Volume:
    """Stored values without the rescale intercept, a common fault of exports."""
    return Volume(volume.array + np.float32(1024.0), volume.geometry)


def _resized(factor: float) -> Callable[[Volume, int], Volume]:
    def change(volume: Volume, _: int) -> Volume:
        old = volume.geometry
        spacing = tuple(factor * step for step in old.spacing_mm)
        return Volume(volume.array, Geometry.from_parts(old.shape, spacing, old.origin_mm, old.direction))

    return change


def _part(volume: Volume, _: int) -> Volume:
    """A third of every axis of the body: a limb where a trunk is expected."""
    box = tuple(slice(n // 3, max(2 * n // 3, n // 3 + 1)) for n in volume.geometry.shape)
    return Volume(np.ascontiguousarray(volume.array[(slice(None), *box)]), volume.geometry.cut(box))


CHANGES: Mapping[str, Callable[[Volume, int], Volume]] = {
    "noise": _noise,
    "flipped intensities": _flipped,
    "values without the rescale intercept": _unscaled,
    "ten times too large (cm as mm)": _resized(10.0),
    "twice too large": _resized(2.0),
    "half as large": _resized(0.5),
    "a third of every axis": _part,
}

if __name__ == "__main__":
    run(*map(Path, sys.argv[1:]))
