"""Exact intervals of rates, such as lesions found among all lesions, where one patient may add several.

References:
    Clopper and Pearson 1934, DOI 10.1093/biomet/26.4.404. Clustered: Korn and Graubard 1998, Survey Methodology 24, 193-201.
    Kish 1965, Survey Sampling: the effective number of unequal clusters.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from scipy.stats import t as student


class Rate(NamedTuple):
    """A rate with its interval; `n_effective` independent trials say as much as what was counted."""

    rate: float
    low: float
    high: float
    n_effective: float


def clopper_pearson(k: float, n: float, level: float) -> tuple[float, float]:
    """Return the exact interval of a rate.

    Args:
        k: How often it happened; a fraction where `n` is an effective number.
        n: Among how many.
        level: Coverage, in 0..1.

    Returns:
        Low and high; NaN where n is 0.

    Examples:
        >>> [round(bound, 3) for bound in clopper_pearson(28, 28, 0.95)]
        [0.877, 1.0]
    """
    if n <= 0:
        return math.nan, math.nan
    tail = (1.0 - level) / 2.0
    low = float(beta.ppf(tail, k, n - k + 1)) if k > 0 else 0.0
    high = float(beta.ppf(1.0 - tail, k + 1, n - k)) if k < n else 1.0
    return low, high


def rate_upper_bound(k: int, n: int, alpha: float) -> float:
    """Return what a rate is at most, but for a chance of `alpha`: Clopper and Pearson's bound of one side; 1 where n is 0."""
    return clopper_pearson(k, n, 1.0 - 2.0 * alpha)[1] if n else 1.0


def clustered_rate(parts: NDArray[np.float64], wholes: NDArray[np.float64], level: float) -> Rate:
    """Return a rate over all patients together, with an interval that knows that a patient's trials go together.

    The scatter between patients says how many independent trials the counted ones are worth. Where all or none happened it can't be seen:
    there a patient's trials count as one.

    Args:
        parts: (patient,) how often it happened.
        wholes: (patient,) among how many.
        level: Coverage, in 0..1.

    Returns:
        The rate; NaN where there is no trial.
    """
    some = wholes > 0
    k, n = parts[some].astype(float), wholes[some].astype(float)
    total, n_patients = float(n.sum()), len(n)
    if not n_patients:
        return Rate(math.nan, math.nan, math.nan, 0.0)
    rate = float(k.sum()) / total
    effective = total * total / float((n * n).sum())
    if 0.0 < rate < 1.0 and n_patients > 1:
        variance = n_patients / (n_patients - 1) * float(((k - rate * n) ** 2).sum()) / total**2
        tail = (1.0 + level) / 2.0
        # Few patients know the variance badly: Korn and Graubard's correction by Student's t.
        known = (student.ppf(tail, max(total - 1.0, 1.0)) / student.ppf(tail, n_patients - 1)) ** 2
        effective = total if variance == 0.0 else min(total, rate * (1.0 - rate) / variance * float(known))
    low, high = clopper_pearson(rate * effective, effective, level)
    return Rate(rate, low, high, effective)
