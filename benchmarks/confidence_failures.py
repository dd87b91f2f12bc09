"""Are failures found? Masks of real lung nodules and sarcomas by weak networks' stand-ins, predicted Dice of patients left out.

The stand-ins are three boosted voxel classifiers a fold, each learned from some patients of the other folds: they fail as networks do on few data, in
minutes instead of hours. Which signs predict was chosen on the first 300 nodules, with a look at the sarcomas; the other 208 nodules had no part in it. Needs the real data beside the repository: python -m benchmarks confidence_failures
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nibabel
import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude
from sklearn.ensemble import HistGradientBoostingClassifier

from lesionflow.calibration.dice_fits import FAILED_DICE, fit_dice
from lesionflow.data.dataset import Dataset, Target
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.inference.findings import predict_dice
from lesionflow.inference.lesion_probabilities import TargetProbabilities, measure_probabilities, sum_expected
from lesionflow.io.images.nifti import read_mask
from lesionflow.io.inputs import read_input
from lesionflow.metrics.ranking import rank
from lesionflow.preprocessing.resampling import resample_mask_to_grid, resample_to_grid

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
N_FOLDS, N_MEMBERS, SEED = 5, 3, 0
#: As many as a bundle is fitted on at most.
N_FITTED, N_DRAWS = 24, 60
TARGETS = (Target(name="tumor", labels=(1,)),)


class Example(NamedTuple):
    """A crop, its tumor, whose it is; images are scaled so that 1 is a large difference."""

    patient: str
    images: np.ndarray
    tumor: np.ndarray
    geometry: Geometry
    reach_mm: float


class Judged(NamedTuple):
    """What was found of an example, and its Dice."""

    patient: str
    found: TargetProbabilities
    dice: float


def run() -> None:
    """Print how well failures are told, by the signs in use and by the expected Dice alone."""
    sets = {}
    if (DATA / "lidc_nodules").is_dir():
        files = sorted((DATA / "lidc_nodules" / "image").glob("*.nii.gz"))
        sets["300 lung nodules (chosen on)"], sets["208 others"] = (
            list(_nodules(files[:300])),
            list(_nodules(files[300:])),
        )
    if (DATA / "sts").is_dir():
        sets["25 sarcomas, CT and PET"] = list(_sarcomas())
    for name, examples in sets.items():
        judged = _judge(examples)
        _tell(name, judged)


def _tell(name: str, judged: list[Judged]) -> None:
    dice, patients = np.array([one.dice for one in judged]), [one.patient for one in judged]
    found = [one.found for one in judged]
    fitted = fit_dice(found, dice, patients)
    rule = fitted.review
    print(
        f"\n{name}: {len(set(patients))} patients, mean Dice {dice.mean():.3f}, {np.mean(dice < FAILED_DICE):.0%} below {FAILED_DICE}"
    )
    print(
        f"  AUROC, patients left out        {rule.auroc:.3f} [{rule.auroc_low:.3f}, {rule.auroc_high:.3f}], {rule.n_failed} failed"
    )
    names = np.array(patients)
    worst = [min(f.expected_dice for f, p in zip(found, patients, strict=True) if p == one) for one in np.unique(names)]
    lost = np.array([(dice[names == one] < FAILED_DICE).any() for one in np.unique(names)])
    before = rank(np.array(worst), lost)
    print(f"  AUROC of the expected Dice      {before.area:.3f} [{before.low:.3f}, {before.high:.3f}]")
    print(
        f"  error of the predicted Dice     {fitted.mean_absolute_error:.3f}; always saying the mean {np.abs(dice - dice.mean()).mean():.3f}"
    )
    if rule.below is not None:
        told = f"{rule.recall:.0%} ({rule.recall_low:.0%} to {rule.recall_high:.0%})"
        print(
            f"  review below {rule.below:.2f}: stated recall {told}, precision {rule.precision:.0%}, {rule.flagged_fraction:.0%} of masks"
        )
    if len(set(patients)) > 2 * N_FITTED:
        tell_small(found, dice, names)


def tell_small(found: list[TargetProbabilities], dice: np.ndarray, names: np.ndarray) -> None:
    """Fit on as many patients as a bundle has, and look at all others."""
    random, held, areas, errors, claimed = np.random.default_rng(SEED), [], [], [], []
    for _ in range(N_DRAWS):
        few = np.isin(names, random.choice(np.unique(names), N_FITTED, replace=False))
        fitted = fit_dice([f for f, own in zip(found, few, strict=True) if own], dice[few], list(names[few]))
        rest = [(predict_dice(f, fitted), d) for f, d, own in zip(found, dice, few, strict=True) if not own]
        told, true = np.array(rest).T
        areas.append(rank(told, true < FAILED_DICE).area)
        errors.append(np.abs(told - true).mean())
        claimed.append(fitted.mean_absolute_error)
        if fitted.review.below is not None:
            held.append(
                (
                    fitted.review.recall,
                    (told[true < FAILED_DICE] <= fitted.review.below).mean(),
                    (told <= fitted.review.below).mean(),
                )
            )
    stated, recall, flagged = np.mean(held, axis=0)
    print(
        f"  fitted on {N_FITTED} patients, {N_DRAWS} draws, all others: AUROC {np.mean(areas):.3f}, error {np.mean(errors):.3f} (said {np.mean(claimed):.3f}),"
    )
    print(
        f"    review: stated recall {stated:.0%}, held {recall:.0%}, {flagged:.0%} of masks; nothing stated in {N_DRAWS - len(held)} draws"
    )


def _judge(examples: list[Example]) -> list[Judged]:
    random = np.random.default_rng(SEED)
    features = [_features(one) for one in examples]
    chosen = [random.choice(len(f), min(len(f), 1500 if len(examples) < 100 else 500), replace=False) for f in features]
    whose = np.repeat(np.arange(len(examples)), [len(c) for c in chosen])
    table = np.concatenate([f[c] for f, c in zip(features, chosen, strict=True)])
    truth = np.concatenate([one.tumor.ravel()[c] for one, c in zip(examples, chosen, strict=True)])
    patients = np.array([one.patient for one in examples])
    fold = {patient: number % N_FOLDS for number, patient in enumerate(random.permutation(np.unique(patients)))}
    fold_of = np.array([fold[patient] for patient in patients])
    judged = []
    for number in range(N_FOLDS):
        others, members = np.flatnonzero(fold_of != number), []
        for _ in range(N_MEMBERS):
            learned = np.isin(whose, random.choice(others, max(3, int(0.6 * len(others))), replace=False))
            model = HistGradientBoostingClassifier(
                max_iter=40, max_leaf_nodes=15, learning_rate=0.15, random_state=SEED
            )
            members.append(model.fit(table[learned], truth[learned]))
        judged += [_measure(examples[i], features[i], members) for i in np.flatnonzero(fold_of == number)]
    return judged


def _features(example: Example) -> np.ndarray:
    spacing, reach = example.geometry.spacing_mm, example.reach_mm
    found = []
    for image in example.images:
        found += [image] + [gaussian_filter(image, [share * reach / step for step in spacing]) for share in (1, 3, 7)]
        found += [image - image.max(), gaussian_gradient_magnitude(image, [reach / step for step in spacing])]
    shape = example.tumor.shape
    places = [(index - n / 2) * step for index, n, step in zip(np.indices(shape), shape, spacing, strict=True)]
    return np.stack([*(f.ravel() for f in found), np.sqrt(sum(p**2 for p in places)).ravel()], axis=1).astype(
        np.float32
    )


def _measure(example: Example, features: np.ndarray, members: list) -> Judged:
    shape, spacing = example.tumor.shape, example.geometry.spacing_mm
    mean = np.mean([model.predict_proba(features)[:, 1] for model in members], axis=0).reshape(shape)
    whole = gaussian_filter(mean, [0.7 * min(spacing) / step for step in spacing]).astype(np.float32)[None]
    labels = (whole[0] >= 0.5).astype(np.uint8)

    def slabs(first: int, last: int) -> Iterator[tuple[slice, np.ndarray]]:
        yield slice(first, last), whole[:, first:last]

    (found,) = measure_probabilities(labels, example.geometry, slabs, TARGETS, 1.0, sum_expected(whole, 1.0))
    both = labels.sum() + example.tumor.sum()
    return Judged(example.patient, found, float(2 * (labels * example.tumor).sum() / both) if both else 1.0)


def _nodules(files: list[Path]) -> Iterator[Example]:
    for file in files:
        mask = file.parents[1] / "nodule_mask" / file.name
        if mask.exists():
            image = nibabel.load(file)
            hu = np.asarray(image.dataobj, dtype=np.float32).transpose(2, 1, 0)
            spacing = tuple(float(step) for step in image.header.get_zooms()[:3][::-1])
            tumor = np.asarray(nibabel.load(mask).dataobj).transpose(2, 1, 0) > 0
            geometry = Geometry.from_parts(tumor.shape, spacing)
            yield Example(file.name.split("_")[0], np.clip((hu[None] + 400) / 400, -2, 2), tumor, geometry, 0.7)


def _sarcomas() -> Iterator[Example]:
    """CT and PET on the CT's grid, every second row and column; the outline is the collection's own mask."""
    for folder in sorted((DATA / "sts" / "dicom").iterdir()):
        ct, pet = (_read(folder / name / "image", kind) for name, kind in (("CT", "ct"), ("PET", "pet")))
        mask = read_mask(DATA / "sts" / "nifti" / folder.name / "CT_mask.nii.gz", name=folder.name)
        yield _sarcoma(folder.name, ct, pet, resample_mask_to_grid(mask, ct.geometry).labels > 0)


def _read(folder: Path, kind: str) -> Volume:
    return read_input(folder, Dataset(name="x", channels={"X": kind}, labels={"tumor": 1}, regions={})).volumes["X"]


def _sarcoma(name: str, ct: Volume, pet: Volume, tumor: np.ndarray) -> Example:
    uptake = resample_to_grid(pet, ct.geometry)
    images = np.concatenate([np.clip(ct.array / 100, -3, 3), uptake.array / 5])[:, :, ::2, ::2]
    slices, rows, columns = ct.geometry.spacing_mm
    geometry = Geometry.from_parts(images.shape[1:], (slices, 2 * rows, 2 * columns))
    return Example(name, images, tumor[:, ::2, ::2], geometry, 2.0)


if __name__ == "__main__":
    run()
