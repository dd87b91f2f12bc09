"""Would a gain be seen? The power of the test by which gains are claimed, before a model is trained.

Normal differences are drawn once; each draw shows every gain from some size on, so that power and the smallest gain are shares and quantiles of these sizes.

References:
    The sign-flip test has the power of Student's t-test for many patients: Hoeffding 1952, DOI 10.1214/aoms/1177729436. Few patients have few
    p-values: there the level is the largest of them that alpha allows.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from lesionflow.evaluation.statistics.sign_flip import MOST_EXACT_PATIENTS
from lesionflow.evaluation.statistics.skewness import LEAST_SKEWED, needed

#: Standard error of a power of 0.8: 0.3 points.
N_DRAWS, SEED = 20_000, 20_261_130
#: Differences that are drawn at a time.
AT_A_TIME = 2_000_000


def power(gain: float, sd: float, n: int, alpha: float) -> float:
    """Return how probable it is that a true gain is shown.

    Args:
        gain: The true mean, above what is to be exceeded.
        sd: Of the paired differences of patients, in the same unit.
        n: Patients.
        alpha: Of the look, one-sided.

    Returns:
        A probability; 0 where so few patients can show nothing.

    Examples:
        >>> round(power(0.03, 0.06, 40, 0.025), 2)
        0.86
    """
    if n < 2 or _level(n, alpha) <= 0.0:
        return 0.0
    return float((_shown_from(n, _level(n, alpha)) <= gain / sd).mean()) if sd > 0.0 else float(gain > 0.0)


def smallest_detectable_gain(sd: float, n: int, alpha: float, power: float) -> float:
    """Return the gain that is shown with the probability `power`; infinite where so few patients can show nothing.

    Args:
        sd: Of the paired differences of patients.
        n: Patients.
        alpha: Of the look, one-sided.
        power: How probable it must be that it is shown, such as 0.8.
    """
    if n < 2 or _level(n, alpha) <= 0.0:
        return math.inf
    return sd * max(0.0, float(np.quantile(_shown_from(n, _level(n, alpha)), power)))


@lru_cache(maxsize=16)
def _shown_from(n: int, level: float) -> NDArray[np.float64]:
    """Return from which gain on, in standard deviations, each drawn sample shows it (draw,)."""
    random, t = np.random.default_rng([SEED, n]), float(student.isf(level, n - 1))
    parts, left = [], N_DRAWS
    while left:
        sample = random.normal(size=(min(left, max(1, AT_A_TIME // n)), n))
        left -= len(sample)
        mean, spread = sample.mean(axis=1), sample.std(axis=1, ddof=1)
        least = np.full(len(sample), t / math.sqrt(n))
        if n >= LEAST_SKEWED:
            skewness = ((sample - mean[:, None]) ** 3).sum(axis=1) * n / ((n - 1) * (n - 2)) / spread**3
            least = np.maximum(least, needed(skewness, n, t))
        parts.append(spread * least - mean)
    return np.concatenate(parts)


def _level(n: int, alpha: float) -> float:
    return math.floor(alpha * 2.0**n) / 2.0**n if n <= MOST_EXACT_PATIENTS else alpha
