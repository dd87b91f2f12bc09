"""Lesions found against false alarms a case, over all thresholds (FROC), with a band by patient."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionflow.evaluation.statistics import bootstrap_weights, percentile_interval
from lesionflow.metrics.detection import LOWEST_PROBABILITY

#: False alarms a case at which sensitivity is read off; their mean is LUNA16's score (DOI 10.1016/j.media.2017.06.015).
READ_OFF_AT = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
N_THRESHOLDS = 90
#: Draws for the band; more would not be seen.
MAX_DRAWS = 1000


class FrocPoint(NamedTuple):
    """Sensitivity at a threshold, with its interval over patients."""

    threshold: float
    false_alarms_per_case: float
    sensitivity: float
    low: float
    high: float


class Froc(NamedTuple):
    """The curve, from the highest threshold down; `read_off` holds the sensitivities at `READ_OFF_AT`."""

    points: tuple[FrocPoint, ...]
    read_off: tuple[float, ...]
    n_lesions: int
    n_cases: int

    @property
    def score(self) -> float:
        """Mean sensitivity at `READ_OFF_AT`, 0..1."""
        return float(np.mean(self.read_off))


def froc_curve(
    candidates: pd.DataFrame, patients: Sequence[str], *, n_bootstrap: int, confidence_level: float, seed: int
) -> Froc | None:
    """Draw the curve of one target.

    Args:
        candidates: A row a lesion of the reference or false alarm: `patient_id`, `is_lesion`, `probability`.
        patients: The patient of each case, cases without candidates included.
        n_bootstrap: Draws of patients; not more than `MAX_DRAWS` are made.
        confidence_level: Of the band.
        seed: Of the draws.

    Returns:
        The curve; None when no case has a lesion to find.
    """
    n_lesions = int(candidates["is_lesion"].sum()) if len(candidates) else 0
    if not n_lesions:
        return None
    thresholds = np.linspace(1.0, LOWEST_PROBABILITY, N_THRESHOLDS + 1)
    names = sorted(set(patients))
    found, false = (
        _counts(candidates[candidates["is_lesion"] == is_lesion], names, thresholds) for is_lesion in (True, False)
    )
    lesions = candidates[candidates["is_lesion"]].groupby("patient_id").size().reindex(names, fill_value=0).to_numpy()
    cases = pd.Series(list(patients)).value_counts().reindex(names).to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        draws = np.concatenate(
            [
                (w @ found) / (w @ lesions)[:, None]
                for w in bootstrap_weights(len(names), min(n_bootstrap, MAX_DRAWS), seed)
            ]
        )
    sensitivity, alarms = found.sum(axis=0) / n_lesions, false.sum(axis=0) / len(patients)
    points = tuple(
        FrocPoint(float(t), float(a), float(s), *percentile_interval(draws[:, i], confidence_level))
        for i, (t, a, s) in enumerate(zip(thresholds, alarms, sensitivity, strict=True))
    )
    return Froc(points, _read_off(alarms, sensitivity), n_lesions, int(cases.sum()))


def _counts(rows: pd.DataFrame, names: list[str], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (patient, threshold) how many rows reach each threshold."""
    counts = np.zeros((len(names), len(thresholds)))
    place = {name: i for i, name in enumerate(names)}
    for patient, probability in zip(rows["patient_id"], rows["probability"], strict=True):
        counts[place[patient]] += probability >= thresholds
    return counts


def _read_off(alarms: NDArray[np.float64], sensitivity: NDArray[np.float64]) -> tuple[float, ...]:
    """The highest sensitivity that costs no more than each number of false alarms; 0 when none is as cheap."""
    return tuple(float(sensitivity[alarms <= at].max(initial=0.0)) for at in READ_OFF_AT)
