"""A mean that is claimed must hold where gains are skewed too: many small gains and rare losses look better than they are.

Where few patients lose much, t of the others' small gains is large before enough losses are seen: of 100 patients, of whom one in twenty loses 0.29 and the mean is 0,
the sign-flip test alone claims a gain in 11 % of draws instead of 2 %. Hall's transformation takes the skewness that was seen out of t; what no patient
shows no test sees.

References:
    Hall 1992, "On the removal of skewness by transformation", DOI 10.1111/j.2517-6161.1992.tb01876.x: the monotone cubic transformation, and its inverse.
    Johnson 1978, DOI 10.1080/01621459.1978.10481593: t of skewed samples.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from lesionflow.evaluation.statistics.sign_flip import lower_bound, one_sided_p

#: Skewness is asked of so many patients and more. Of fewer it is hardly known: it took 7 to 10 points of power from normal gains of 8 to 12 patients, and what
#: remained of rare losses was nearly all in draws that showed none (8,000 draws of seven designs each).
LEAST_SKEWED = 16
#: A spread below this fraction of the values is rounding.
EQUAL_SPREAD = 1e-12


def claim_p(gains: NDArray[np.float64], shift: float = 0.0) -> float:
    """Return the p-value by which a mean gain above `shift` is claimed: the sign-flip test's, or that without skewness, whichever is larger.

    Args:
        gains: (patient,) paired differences in any unit; positive is better.
        shift: The mean that is to be exceeded.

    Returns:
        p in 0..1; NaN without patients, and where a gain is no number.

    Examples:
        Nineteen of twenty gain 0.016, one loses 0.29: their mean is 0.0007 above 0.

        >>> gains = np.append(np.full(19, 0.016), -0.29)
        >>> bool(claim_p(gains) > 0.4), bool(claim_p(gains, -0.2) < 0.01)
        (True, True)
    """
    p = one_sided_p(gains, shift)
    return p if math.isnan(p) or len(gains) < LEAST_SKEWED else max(p, skewed_p(gains, shift))


def claim_bound(gains: NDArray[np.float64], alpha: float) -> float:
    """Return the largest shift that `claim_p` refutes at `alpha`.

    Args:
        gains: (patient,) paired differences.
        alpha: One-sided chance of being wrong, in 0..1.

    Returns:
        The bound, in the gains' unit; minus infinity where so few patients can refute nothing, NaN without patients.
    """
    bound = lower_bound(gains, alpha)
    if math.isnan(bound) or len(gains) < LEAST_SKEWED:
        return bound
    mean, spread, skewness = _moments(gains)
    if spread == 0.0:
        return min(bound, mean)
    return min(
        bound, mean - spread * float(needed(np.array(skewness), len(gains), float(student.isf(alpha, len(gains) - 1))))
    )


def skewed_p(gains: NDArray[np.float64], shift: float = 0.0) -> float:
    """Return the one-sided p-value of Student's t of three gains or more, skewness taken out; where all gains are alike 0 or 1."""
    mean, spread, skewness = _moments(gains)
    if spread == 0.0:
        return 0.0 if mean > shift else 1.0
    u, n = (mean - shift) / spread, len(gains)
    transformed = u + skewness * u**2 / 3.0 + skewness**2 * u**3 / 27.0 + skewness / (6.0 * n)
    return float(student.sf(math.sqrt(n) * transformed, n - 1))


def needed(skewness: NDArray[np.float64], n: int, t: float) -> NDArray[np.float64]:
    """Return how many standard deviations a mean must lie above a shift for the transformed statistic to reach t: Hall's inverse.

    Args:
        skewness: Of samples, any shape.
        n: Patients of each.
        t: What is to be reached.

    Examples:
        Without skewness Student's own; with rare losses more.

        >>> [round(float(value), 3) for value in needed(np.array([0.0, -2.0, 2.0]), 25, 2.0)]
        [0.4, 0.664, 0.316]
    """
    plain = t / math.sqrt(n)
    cubed = 1.0 + skewness * (plain - skewness / (6.0 * n))
    with np.errstate(divide="ignore", invalid="ignore"):
        bent = 3.0 * (np.cbrt(cubed) - 1.0) / skewness
    result: NDArray[np.float64] = np.where(np.abs(skewness) < EQUAL_SPREAD, plain, bent)
    return result


def _moments(gains: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return mean, standard deviation and skewness."""
    values = np.asarray(gains, dtype=float)
    n, mean = len(values), float(values.mean())
    spread = float(values.std(ddof=1)) if n > 1 else 0.0
    if spread <= EQUAL_SPREAD * float(np.abs(values).max()):
        return mean, 0.0, 0.0
    third = float(((values - mean) ** 3).sum()) * n / ((n - 1) * (n - 2))
    return mean, spread, third / spread**3
