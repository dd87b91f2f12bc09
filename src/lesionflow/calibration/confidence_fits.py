"""From validation outcomes to figures of confidence: volume intervals, predicted Dice, lesion confidence."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from lesionflow.data.calibration import DicePrediction, LesionConfidence, TargetConfidence, VolumeInterval
from lesionflow.data.dataset import Target
from lesionflow.inference.findings import lesion_confidence, logit, predict_dice
from lesionflow.inference.lesion_probabilities import TargetProbabilities
from lesionflow.metrics.probabilities import conformal_quantile

#: Coverage of the volume interval, where there are cases enough (nine).
COVERAGE = 0.9
#: Volumes are compared as ln(ml + this), so that an empty mask has an interval too.
OFFSET_ML = 1.0
#: Cases and lesions needed to fit anything.
LEAST_CASES = 4
#: As many imagined lesions hold intercept and slope near 0 and 1: a handful of real ones must not bend them far.
PRIOR_LESIONS = 4.0
#: Dice scatters so much about its line; beforehand, the line is thought to lie so near to the identity at a usual Dice, and its
#: slope so near to 1.
DICE_NOISE, OFFSET_SPREAD, SLOPE_SPREAD, USUAL_DICE = 0.1, 0.3, 1.0, 0.8
#: Of empty masks, as many imagined ones right and wrong (Jeffreys' prior).
EMPTY_PRIOR = 0.5


class CaseOutcome(NamedTuple):
    """What a validation case came to: evidence, Dice and true volume of each target."""

    evidence: tuple[TargetProbabilities, ...]
    dice: tuple[float, ...]
    true_ml: tuple[float, ...]


def fit_targets(targets: Sequence[Target], outcomes: Sequence[CaseOutcome]) -> tuple[TargetConfidence, ...]:
    """Fit each target's figures.

    Args:
        targets: The network's outputs.
        outcomes: One a validation case.

    Returns:
        One a target.
    """
    fitted = []
    for number, target in enumerate(targets):
        evidence = [outcome.evidence[number] for outcome in outcomes]
        predicted = np.array([found.volume_ml for found in evidence])
        truth = np.array([outcome.true_ml[number] for outcome in outcomes])
        expected = np.array([found.expected_dice for found in evidence])
        scores = np.array([outcome.dice[number] for outcome in outcomes])
        lesions = [[(lesion.mean_probability, bool(lesion.real)) for lesion in found.lesions] for found in evidence]
        fitted.append(
            TargetConfidence(
                name=target.name,
                volume=fit_volume(predicted, truth),
                dice=fit_dice(expected, scores, predicted == 0.0),
                lesions=fit_lesions(lesions),
            )
        )
    return tuple(fitted)


def fit_volume(predicted_ml: NDArray[np.float64], true_ml: NDArray[np.float64]) -> VolumeInterval | None:
    """Fit a conformal interval: how many times larger or smaller a true volume is than the predicted one.

    Args:
        predicted_ml: (n,).
        true_ml: (n,).

    Returns:
        The interval; None with fewer than four cases.
    """
    if len(predicted_ml) < LEAST_CASES:
        return None
    scores = np.abs(np.log((true_ml + OFFSET_ML) / (predicted_ml + OFFSET_ML)))
    ratio, coverage = conformal_quantile(scores, COVERAGE)
    return VolumeInterval(coverage=coverage, log_ratio=ratio, offset_ml=OFFSET_ML, n_cases=len(scores))


def fit_dice(
    expected: NDArray[np.float64], dice: NDArray[np.float64], empty: NDArray[np.bool_]
) -> DicePrediction | None:
    """Fit Dice by the Dice that the probabilities expect: ridge regression about the identity.

    Of an empty mask probabilities say little: its Dice is 1 or 0, and the share of such cases that were right is told.

    Args:
        expected: (n,) `TargetProbabilities.expected_dice`.
        dice: (n,) true ones.
        empty: (n,) whether the mask is empty.

    Returns:
        The line with its leave-one-out error; None with fewer than four cases.
    """
    if len(dice) < LEAST_CASES:
        return None
    errors = []
    for left_out in range(len(dice)):
        rest = np.arange(len(dice)) != left_out
        fitted = _line(expected[rest], dice[rest], empty[rest])
        told = predict_dice(float(expected[left_out]), fitted, empty=bool(empty[left_out]))
        errors.append(abs(told - float(dice[left_out])))
    return _line(expected, dice, empty).model_copy(update={"mean_absolute_error": float(np.mean(errors))})


def fit_lesions(lesions: Sequence[Sequence[tuple[float, bool]]]) -> LesionConfidence | None:
    """Fit the probability that a lesion is real by its mean probability: logistic regression with a prior.

    Args:
        lesions: By case, the mean probability of each lesion found and whether it is real.

    Returns:
        The fit with its error on cases left out; None with fewer than four lesions.
    """
    every = [lesion for case in lesions for lesion in case]
    if len(every) < LEAST_CASES:
        return None
    squares, squares_before = [], []
    for number, case in enumerate(lesions):
        fitted = _logistic([lesion for other, rest in enumerate(lesions) if other != number for lesion in rest])
        squares += [(lesion_confidence(p, fitted) - real) ** 2 for p, real in case]
        squares_before += [(p - real) ** 2 for p, real in case]
    errors = {"brier": float(np.mean(squares)), "brier_before": float(np.mean(squares_before))}
    return _logistic(every).model_copy(update=errors)


def _line(expected: NDArray[np.float64], dice: NDArray[np.float64], empty: NDArray[np.bool_]) -> DicePrediction:
    design = np.stack([np.ones_like(expected), expected - USUAL_DICE], axis=1)[~empty]
    # Dice - expected = offset + change x (expected - usual), both drawn to 0.
    drawn = np.diag([(DICE_NOISE / OFFSET_SPREAD) ** 2, (DICE_NOISE / SLOPE_SPREAD) ** 2])
    offset, change = np.linalg.solve(design.T @ design + drawn, design.T @ (dice - expected)[~empty])
    return DicePrediction(
        intercept=float(offset - change * USUAL_DICE),
        slope=1.0 + float(change),
        when_empty=float((dice[empty].sum() + EMPTY_PRIOR) / (empty.sum() + 2.0 * EMPTY_PRIOR)),
        mean_absolute_error=0.0,
        n_cases=len(dice),
    )


def _logistic(lesions: Sequence[tuple[float, bool]]) -> LesionConfidence:
    signs = np.array([1.0 if real else -1.0 for _, real in lesions])
    logits = np.array([logit(p) for p, _ in lesions])

    def surprise(line: NDArray[np.float64]) -> float:
        loss = np.logaddexp(0.0, -signs * (line[0] + line[1] * logits)).sum()
        return float(loss + PRIOR_LESIONS * (0.25 * line[0] ** 2 + (line[1] - 1.0) ** 2) / 2.0)

    found = minimize(surprise, np.array([0.0, 1.0]), method="L-BFGS-B", bounds=[(None, None), (0.0, None)])
    n_real = int((signs > 0).sum())
    line = (float(found.x[0]), float(found.x[1]))
    return LesionConfidence(
        intercept=line[0], slope=line[1], brier=0.0, brier_before=0.0, n_lesions=len(lesions), n_real=n_real
    )
