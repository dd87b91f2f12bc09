"""Bounds for the mean of values that have a least and a greatest, such as Dice, where few patients hide what is rare.

Eight patients without a miss do not show that nobody is missed. The bound adds one patient who has the worst value, and weighs all by a draw from
the flat Dirichlet distribution: whatever the distribution, so far as is known, it fails no more often than it says.

References:
    Gaffke 2005, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative variable", Math. Methods Statist. 14.
    Learned-Miller and Thomas 2019, arXiv 1905.06208, of which it is a case; for values of 0 or 1 it is Clopper and Pearson's.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

N_DRAWN, SEED = 20_000, 1905_06208


def mean_lower_bound(values: NDArray[np.float64], alpha: float, least: float = 0.0) -> float:
    """Return what the mean is at least, but for a chance of `alpha`.

    Args:
        values: (patient,), none below `least`.
        alpha: One-sided chance of being wrong, in 0..1.
        least: The least value that there may be.

    Returns:
        The bound; NaN without patients.
    """
    if not len(values):
        return math.nan
    weighted = _weights(len(values)) @ np.append(np.sort(values), least)
    return float(np.quantile(weighted, alpha, method="lower"))


def mean_upper_bound(values: NDArray[np.float64], alpha: float, greatest: float = 1.0) -> float:
    """Return what the mean is at most, but for a chance of `alpha`; the greatest value that there may be is `greatest`."""
    return -mean_lower_bound(-np.asarray(values, dtype=float), alpha, -greatest)


@lru_cache(maxsize=8)
def _weights(n_patients: int) -> NDArray[np.float64]:
    """Draw weights (draw, patient and the one who has the worst value)."""
    return np.random.default_rng([SEED, n_patients]).dirichlet(np.ones(n_patients + 1), N_DRAWN)
