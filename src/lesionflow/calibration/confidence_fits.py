"""From validation outcomes to figures of confidence: volume intervals, lesion confidence; predicted Dice is fitted beside."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from lesionflow.calibration.dice_fits import fit_dice, leave_patients_out
from lesionflow.data.calibration import LesionConfidence, TargetConfidence, VolumeInterval
from lesionflow.data.dataset import Target
from lesionflow.inference.findings import lesion_confidence, logit
from lesionflow.inference.lesion_probabilities import TargetProbabilities
from lesionflow.metrics.conformal import coverage_band, patient_quantile

#: Coverage of the volume interval, where there are patients enough (nine).
COVERAGE = 0.9
#: Volumes are compared as ln(ml + this), so that an empty mask has an interval too.
OFFSET_ML = 1.0
#: Patients and lesions needed to fit anything.
LEAST_PATIENTS = LEAST_LESIONS = 4
#: As many imagined lesions hold intercept and slope near 0 and 1: a handful of real ones must not bend them far.
PRIOR_LESIONS = 4.0


class CaseOutcome(NamedTuple):
    """What a validation case came to: whose it is; evidence, Dice and true volume of each target."""

    patient_id: str
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
    patients = [outcome.patient_id for outcome in outcomes]
    for number, target in enumerate(targets):
        evidence = [outcome.evidence[number] for outcome in outcomes]
        predicted = np.array([found.volume_ml for found in evidence])
        truth = np.array([outcome.true_ml[number] for outcome in outcomes])
        scores = np.array([outcome.dice[number] for outcome in outcomes])
        lesions = [[(lesion.mean_probability, bool(lesion.real)) for lesion in found.lesions] for found in evidence]
        fitted.append(
            TargetConfidence(
                name=target.name,
                volume=fit_volume(predicted, truth, patients),
                dice=fit_dice(evidence, scores, patients),
                lesions=fit_lesions(lesions, patients),
            )
        )
    return tuple(fitted)


def fit_volume(
    predicted_ml: NDArray[np.float64], true_ml: NDArray[np.float64], patients: Sequence[str]
) -> VolumeInterval | None:
    """Fit a conformal interval: how many times larger or smaller a true volume is than the predicted one.

    Args:
        predicted_ml: (n,).
        true_ml: (n,).
        patients: (n,) whose each is: patients weigh alike, however many studies they have.

    Returns:
        The interval, with the band in which its coverage lies; None with fewer than four patients.
    """
    if len(set(patients)) < LEAST_PATIENTS:
        return None
    scores = np.abs(np.log((true_ml + OFFSET_ML) / (predicted_ml + OFFSET_ML)))
    found = patient_quantile(scores, patients, COVERAGE)
    band = coverage_band(found.n_patients, found.coverage)
    return VolumeInterval(
        coverage=found.coverage,
        log_ratio=found.score,
        offset_ml=OFFSET_ML,
        n_cases=len(scores),
        n_patients=found.n_patients,
        coverage_low=band.low,
        coverage_high=band.high,
    )


def fit_lesions(lesions: Sequence[Sequence[tuple[float, bool]]], patients: Sequence[str]) -> LesionConfidence | None:
    """Fit the probability that a lesion is real by its mean probability: logistic regression with a prior.

    Args:
        lesions: By case, the mean probability of each lesion found and whether it is real.
        patients: Whose each case is.

    Returns:
        The fit with its error on patients left out; None with fewer than four lesions.
    """
    every = [lesion for case in lesions for lesion in case]
    if len(every) < LEAST_LESIONS:
        return None
    squares, squares_before = [], []
    for rest, left_out in leave_patients_out(patients):
        fitted = _logistic([lesion for number in rest for lesion in lesions[number]])
        own = [lesion for number in left_out for lesion in lesions[number]]
        squares += [(lesion_confidence(p, fitted) - real) ** 2 for p, real in own]
        squares_before += [(p - real) ** 2 for p, real in own]
    errors = {"brier": float(np.mean(squares)), "brier_before": float(np.mean(squares_before))}
    return _logistic(every).model_copy(update=errors)


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
