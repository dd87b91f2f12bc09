"""Predicted Dice, and which masks somebody should look at: by what tells a bad mask from a good one, on patients left out."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.calibration import DicePrediction, ReviewRule
from lesionflow.inference.findings import predict_dice
from lesionflow.inference.lesion_probabilities import TargetProbabilities
from lesionflow.metrics.conformal import coverage_band, patient_quantile
from lesionflow.metrics.ranking import rank

#: Patients needed to fit anything, and failed ones to say anything of failures.
LEAST_PATIENTS, LEAST_FAILED = 4, 2
#: Beforehand Dice is thought to rise with these signs at this rate, about a usual Dice. Chosen once, on lung nodules (LIDC-IDRI) that voxel
#: classifiers outlined, not anew for each bundle: a handful of patients can't choose.
SIGNS = {"stability": 0.5, "certainty": 0.5, "roundness": 0.0}
#: Dice scatters so much about its line; the line is thought to lie so near to the one above, and each rate so near to its own.
DICE_NOISE, OFFSET_SPREAD, RATE_SPREAD, USUAL = 0.1, 0.3, 0.6, 0.8
#: Of empty masks, as many imagined ones right and wrong (Jeffreys' prior).
EMPTY_PRIOR = 0.5
#: A mask below this Dice has failed; of failed ones this share is to be pointed at, where failed patients enough are known (nine).
FAILED_DICE, RECALL = 0.6, 0.9


def fit_dice(
    found: Sequence[TargetProbabilities], dice: NDArray[np.float64], patients: Sequence[str]
) -> DicePrediction | None:
    """Fit Dice by the signs of masks: ridge regression about a line that is thought to hold beforehand.

    The Dice of an empty mask is 1 or 0: the share of such masks that were right is told, apart of those where the network found nothing possible, and of
    those where threshold and rules left nothing of what it found.

    Args:
        found: (n,) what was found in each case.
        dice: (n,) true ones.
        patients: (n,) whose each is.

    Returns:
        The line, with its error and its review rule on patients left out; None with fewer than four patients.
    """
    if len(set(patients)) < LEAST_PATIENTS:
        return None
    told, errors = np.empty(len(dice)), []
    for rest, own in leave_patients_out(patients):
        fitted = _line([found[i] for i in rest], dice[rest])
        told[own] = [predict_dice(found[i], fitted) for i in own]
        errors.append(float(np.abs(told[own] - dice[own]).mean()))
    figures = {"mean_absolute_error": float(np.mean(errors)), "review": fit_review(told, dice, patients)}
    return _line(found, dice).model_copy(update=figures)


def fit_review(told: NDArray[np.float64], dice: NDArray[np.float64], patients: Sequence[str]) -> ReviewRule:
    """Find below which predicted Dice a mask should be looked at, so that a stated share of failed ones is.

    Among patients who fail, the predicted Dice of failed studies is a conformal score like any other: the limit is what a new failed study stays
    below with the stated probability.

    Args:
        told: (n,) predicted Dice, each by a fit without the patient.
        dice: (n,) true ones.
        patients: (n,) whose each is.

    Returns:
        The rule and what it is worth; without a limit where fewer than two patients failed.
    """
    failed, names = dice < FAILED_DICE, np.asarray(patients, dtype=str)
    lost = np.unique(names[failed])
    worst = np.array([told[own].min() for _, own in leave_patients_out(patients)])
    ranking = rank(worst, np.isin(np.unique(names), lost))
    limit = low = high = recall = precision = None
    if len(lost) >= LEAST_FAILED:
        quantile = patient_quantile(told[failed], list(names[failed]), RECALL)
        limit, recall = quantile.score, quantile.coverage
        low, high = coverage_band(quantile.n_patients, recall)
        precision = float(failed[told <= limit].mean())
    return ReviewRule(
        failed_dice=FAILED_DICE,
        below=limit,
        recall=recall,
        recall_low=low,
        recall_high=high,
        precision=precision,
        flagged_fraction=0.0 if limit is None else float((told <= limit).mean()),
        auroc=_null(ranking.area),
        auroc_low=_null(ranking.low),
        auroc_high=_null(ranking.high),
        n_failed=len(lost),
        n_patients=len(worst),
    )


def leave_patients_out(patients: Sequence[str]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Give, patient by patient, the numbers of all others' cases and those of the patient's own."""
    names = np.asarray(patients, dtype=str)
    for patient in np.unique(names):
        yield np.flatnonzero(names != patient), np.flatnonzero(names == patient)


def _line(found: Sequence[TargetProbabilities], dice: NDArray[np.float64]) -> DicePrediction:
    empty = np.array([one.volume_ml == 0.0 for one in found])
    removed = empty & np.array([one.possible_ml > 0.0 for one in found])
    rows = [[1.0, *(one.signs[name] - USUAL for name in SIGNS)] for one in found]
    design, before = np.array(rows)[~empty], np.array([USUAL, *SIGNS.values()])
    drawn = np.diag((DICE_NOISE / np.array([OFFSET_SPREAD, *[RATE_SPREAD] * len(SIGNS)])) ** 2)
    rest = dice[~empty] - design @ before
    offset, *rates = before + np.linalg.solve(design.T @ design + drawn, design.T @ rest)
    return DicePrediction(
        intercept=float(offset - USUAL * sum(rates)),
        slope=0.0,
        when_empty=_share_right(dice[empty & ~removed]),
        when_removed=_share_right(dice[removed]),
        mean_absolute_error=0.0,
        n_cases=len(dice),
        weights=dict(zip(SIGNS, map(float, rates), strict=True)),
    )


def _share_right(dice: NDArray[np.float64]) -> float:
    return float((dice.sum() + EMPTY_PRIOR) / (len(dice) + 2.0 * EMPTY_PRIOR))


def _null(value: float) -> float | None:
    return None if math.isnan(value) else value
