"""How sure a figure is: bootstrap by patient.

References:
    Efron and Tibshirani 1993, An Introduction to the Bootstrap, DOI 10.1201/9780429246593: percentile intervals.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Draws at a time, so that memory stays small whatever the number of draws.
DRAWS_AT_A_TIME = 1000


class Estimate(NamedTuple):
    """A mean over patients with its interval; `n` patients have a value, `n_undefined` cases have none."""

    mean: float
    low: float
    high: float
    n: int
    n_undefined: int


def estimate_means(
    table: pd.DataFrame, metrics: Sequence[str], *, n_bootstrap: int, confidence_level: float, seed: int
) -> dict[str, Estimate]:
    """Estimate the mean of each metric over patients: a patient with several cases counts once.

    Args:
        table: One row a case of one target, with `patient_id` and the metrics.
        metrics: Columns.
        n_bootstrap: Draws of patients with replacement.
        confidence_level: Coverage of the interval, in 0..1.
        seed: Of the draws; all metrics share them.

    Returns:
        An estimate a metric; NaN where no case has a value. With one patient the interval is the value itself.
    """
    by_patient = table.groupby("patient_id", sort=True)[list(metrics)].mean()
    values = by_patient.to_numpy(dtype=float)
    draws = _bootstrap_means(values, n_bootstrap, seed)
    tail = 100.0 * (1.0 - confidence_level) / 2.0
    estimates = {}
    for column, name in enumerate(metrics):
        defined = values[:, column][~np.isnan(values[:, column])]
        n_undefined = int(table[name].isna().sum())
        own = draws[:, column][~np.isnan(draws[:, column])]
        if not defined.size:
            estimates[name] = Estimate(float("nan"), float("nan"), float("nan"), 0, n_undefined)
            continue
        low, high = np.percentile(own, (tail, 100.0 - tail))
        estimates[name] = Estimate(float(defined.mean()), float(low), float(high), int(defined.size), n_undefined)
    return estimates


def _bootstrap_means(values: NDArray[np.float64], n_bootstrap: int, seed: int) -> NDArray[np.float64]:
    """Return (n_bootstrap, metric) means over drawn patients; undefined values are left out of a draw."""
    random = np.random.default_rng(seed)
    n_patients = len(values)
    filled, defined = np.nan_to_num(values), (~np.isnan(values)).astype(float)
    parts = []
    for start in range(0, n_bootstrap, DRAWS_AT_A_TIME):
        size = min(DRAWS_AT_A_TIME, n_bootstrap - start)
        # How often each patient is drawn: resampling with replacement is one multinomial a draw.
        weights = random.multinomial(n_patients, np.full(n_patients, 1.0 / n_patients), size=size).astype(float)
        counts = weights @ defined
        with np.errstate(invalid="ignore", divide="ignore"):
            parts.append(np.where(counts > 0, (weights @ filled) / counts, np.nan))
    return np.concatenate(parts)
