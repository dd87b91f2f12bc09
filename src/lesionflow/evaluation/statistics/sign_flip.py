"""Is a mean of paired gains more than chance? The sign-flip test by patient, and the interval that says the same.

Had the challenger nothing to give, each patient's gain could as well have had the other sign. The statistic is Student's t of the gains under
each pattern of signs. Flips leave the sum of squares as it is, so that t orders the patterns as their sums do, and with a shift c the test
counts the subsets of patients whose mean gain is c or less: a pattern flips a subset, and gives as large a sum exactly where the subset's mean lies at
or below c. So the bounds are order statistics of subset means, and test and interval never disagree.

References:
    Fisher 1935, The Design of Experiments. Hartigan 1969, "Using subsample values as typical values", DOI 10.1080/01621459.1969.10501057.
    Janssen 1997, DOI 10.1016/S0167-7152(97)00043-6: the studentized form holds its level where gains are not symmetric, for many patients.
    Phipson and Smyth 2010, DOI 10.2202/1544-6115.1585: p of drawn patterns is never 0.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Up to this many patients all 65,536 patterns are gone through; beyond, patterns are drawn.
MOST_EXACT_PATIENTS = 16
#: Patterns that are drawn, the one that was seen not counted: p is a multiple of 1 / 32,768.
N_DRAWN = 2**15 - 1
SEED = 20_261_129
#: Up to this many patients drawn patterns are kept: 67 MB for 256.
MOST_KEPT_PATIENTS = 256
PATTERNS_AT_A_TIME = 4096
#: Sums closer to each other than this fraction count as equal, so that rounding never decides a test.
EQUAL_FRACTION = 1e-9


def one_sided_p(gains: NDArray[np.float64], shift: float = 0.0) -> float:
    """Return the one-sided p-value of a mean gain: how often would chance alone show as much above `shift`?

    Args:
        gains: (patient,) paired differences in any unit; positive is better.
        shift: The mean that is to be exceeded.

    Returns:
        p in 0..1, never 0; NaN without patients, and where a gain is no number: that shows nothing.

    Examples:
        >>> one_sided_p(np.array([0.1, 0.2, 0.3]))
        0.125
    """
    over = np.asarray(gains, dtype=float) - shift
    if not len(over) or np.isnan(over).any():
        return math.nan
    sums, _ = _subsets(over)
    equal = EQUAL_FRACTION * float(np.abs(over).sum())
    return (1 + int(np.count_nonzero(sums <= equal))) / (1 + len(sums))


def lower_bound(gains: NDArray[np.float64], alpha: float) -> float:
    """Return the largest shift that the one-sided test refutes at `alpha`: the mean gain lies above it.

    Args:
        gains: (patient,) paired differences.
        alpha: One-sided chance of being wrong, in 0..1.

    Returns:
        The bound, in the gains' unit; minus infinity where so few patients can refute nothing, NaN without patients.
    """
    if not len(gains) or np.isnan(np.asarray(gains, dtype=float)).any():
        return math.nan
    sums, sizes = _subsets(np.asarray(gains, dtype=float))
    # Refuted is each shift with 1 + (subset means at or below it) <= alpha * patterns.
    rank = math.floor(alpha * (1 + len(sums)) * (1.0 + EQUAL_FRACTION))
    if rank < 1:
        return -math.inf
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(sizes > 0, sums / sizes, -math.inf)
    return float(np.partition(means, rank - 1)[rank - 1])


def upper_bound(gains: NDArray[np.float64], alpha: float) -> float:
    """Return the smallest shift that the test of the other side refutes at `alpha`: the mean gain lies below it."""
    return -lower_bound(-np.asarray(gains, dtype=float), alpha)


def gain_interval(gains: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Return the interval of the mean gain that the two-sided test does not refute.

    Args:
        gains: (patient,) paired differences.
        level: Coverage, in 0..1.

    Returns:
        Low and high; infinite where so few patients can't bound the mean, NaN without patients.
    """
    tail = (1.0 - level) / 2.0
    return lower_bound(gains, tail), upper_bound(gains, tail)


def two_sided_p(gains: NDArray[np.float64]) -> float:
    """Return twice the smaller of both one-sided p-values, at most 1; NaN without patients."""
    gains = np.asarray(gains, dtype=float)
    p = min(one_sided_p(gains), one_sided_p(-gains))
    return p if math.isnan(p) else min(1.0, 2.0 * p)


def smallest_p(n_patients: int) -> float:
    """Return the smallest p-value that so many patients can give, were they all better."""
    return 0.5**n_patients if n_patients <= MOST_EXACT_PATIENTS else 1.0 / (1 + N_DRAWN)


def _subsets(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sums and sizes of subsets (pattern,): all but the empty one, or those drawn."""
    # In order, so that it does not matter which patient comes first where subsets are drawn.
    values, n_patients = np.sort(values), len(values)
    if n_patients <= MOST_EXACT_PATIENTS:
        sums = np.zeros(1)
        for value in values:
            sums = np.concatenate([sums, sums + value])
        return sums[1:], _sizes_of_all(n_patients)
    draw = _drawn if n_patients <= MOST_KEPT_PATIENTS else _drawn.__wrapped__
    sums = np.empty(N_DRAWN)
    sizes = np.empty(N_DRAWN)
    for number, start in enumerate(range(0, N_DRAWN, PATTERNS_AT_A_TIME)):
        chosen, sizes_here = draw(n_patients, number)
        stop = min(start + PATTERNS_AT_A_TIME, N_DRAWN)
        sums[start:stop], sizes[start:stop] = (chosen @ values)[: stop - start], sizes_here[: stop - start]
    return sums, sizes


@lru_cache(maxsize=MOST_EXACT_PATIENTS + 1)
def _sizes_of_all(n_patients: int) -> NDArray[np.float64]:
    sizes = np.zeros(1)
    for _ in range(n_patients):
        sizes = np.concatenate([sizes, sizes + 1.0])
    return sizes[1:]


@lru_cache(maxsize=16)
def _drawn(n_patients: int, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw one part of the subsets (pattern, patient), and their sizes (pattern,)."""
    random = np.random.default_rng([SEED, n_patients, number])
    chosen = random.integers(0, 2, (PATTERNS_AT_A_TIME, n_patients), dtype=np.int8).astype(float)
    return chosen, chosen.sum(axis=1)
