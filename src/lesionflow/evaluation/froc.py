"""Lesions found against false alarms a case, over thresholds (FROC), with a band by patient."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lesionflow.evaluation.statistics.rates import clustered_rate

#: False alarms a case at which sensitivity is read off; their mean is LUNA16's score (DOI 10.1016/j.media.2017.06.015).
READ_OFF_AT = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
COUNTS = ["n_found", "n_lesions", "n_false_alarms"]


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


def froc_curve(detections: pd.DataFrame, *, confidence_level: float) -> Froc | None:
    """Draw the curve of one target.

    Args:
        detections: A row a case and threshold: `case_id`, `patient_id`, `threshold`, `n_lesions`, `n_found`,
            `n_false_alarms`.
        confidence_level: Of the band, exact at each threshold.

    Returns:
        The curve; None when no case has a lesion to find.
    """
    n_cases = detections["case_id"].nunique()
    by_threshold = detections.groupby("threshold")[COUNTS].sum().sort_index(ascending=False)
    if not len(by_threshold) or not by_threshold["n_lesions"].iloc[0]:
        return None
    by_patient = detections.pivot_table(index="patient_id", columns="threshold", values=COUNTS, aggfunc="sum")
    found, lesions = (by_patient[name][by_threshold.index].to_numpy(dtype=float) for name in ("n_found", "n_lesions"))
    bands = [clustered_rate(found[:, i], lesions[:, i], confidence_level) for i in range(found.shape[1])]
    sensitivity = (by_threshold["n_found"] / by_threshold["n_lesions"]).to_numpy()
    alarms = (by_threshold["n_false_alarms"] / n_cases).to_numpy()
    points = tuple(
        FrocPoint(float(t), float(a), float(s), band.low, band.high)
        for t, a, s, band in zip(by_threshold.index, alarms, sensitivity, bands, strict=True)
    )
    # The highest sensitivity that costs no more than each number of false alarms; 0 when none is as cheap.
    read_off = tuple(float(sensitivity[alarms <= at].max(initial=0.0)) for at in READ_OFF_AT)
    return Froc(points, read_off, int(by_threshold["n_lesions"].iloc[0]), int(n_cases))
