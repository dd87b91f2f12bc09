"""Do probabilities mean what they say? Reliability, calibration error, temperature, conformal quantiles."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

#: Probabilities are held this far from 0 and 1, so that their logits are finite.
LEAST = 1e-6
#: Temperatures that are tried, as natural logarithms: 1/4 to 4. Beyond, a network does not need calibration but training.
LOG_TEMPERATURES = (-1.3863, 1.3863)

Values = NDArray[np.floating]


class ReliabilityBin(NamedTuple):
    """Voxels of about one probability: their mean probability, the share that is tumor, how many."""

    probability: float
    frequency: float
    n: int


def reliability(probabilities: Values, truth: NDArray[np.bool_], n_bins: int = 15) -> list[ReliabilityBin]:
    """Group probabilities into bins of equal width.

    Args:
        probabilities: (n,) in 0..1.
        truth: (n,).
        n_bins: Of equal width.

    Returns:
        The bins that hold anything, by ascending probability.

    Examples:
        >>> reliability(np.array([0.25, 0.5, 0.75]), np.array([False, False, True]), n_bins=2)
        [ReliabilityBin(probability=0.25, frequency=0.0, n=1), ReliabilityBin(probability=0.625, frequency=0.5, n=2)]
    """
    numbers = np.minimum((probabilities * n_bins).astype(np.intp), n_bins - 1)
    counts = np.bincount(numbers, minlength=n_bins)
    sums = np.bincount(numbers, weights=probabilities, minlength=n_bins)
    hits = np.bincount(numbers, weights=truth, minlength=n_bins)
    return [
        ReliabilityBin(float(total / n), float(hit / n), int(n))
        for n, total, hit in zip(counts, sums, hits, strict=True)
        if n
    ]


def expected_calibration_error(bins: list[ReliabilityBin]) -> float:
    """Mean |frequency - probability| over all voxels, 0..1; NaN without any. Naeini et al. 2015, AAAI 29(1).

    Examples:
        >>> expected_calibration_error([ReliabilityBin(0.25, 0.5, 3), ReliabilityBin(1.0, 1.0, 1)])  # 3 * 0.25 / 4
        0.1875
    """
    n = sum(group.n for group in bins)
    return sum(group.n * abs(group.frequency - group.probability) for group in bins) / n if n else math.nan


def soften(probabilities: Values, temperature: float) -> NDArray[np.float64]:
    """Divide the logits of probabilities by a temperature: logistic(logit(p) / T). Guo et al. 2017, arXiv:1706.04599.

    Args:
        probabilities: Any shape, 0..1.
        temperature: > 0; above 1 makes them less sure.

    Returns:
        Probabilities of the same shape; at 1 they are returned as they are.

    Examples:
        >>> soften(np.array([0.9]), 2.0).round(3).tolist()  # odds of 9 : 1 become 3 : 1
        [0.75]
    """
    given = np.asarray(probabilities, dtype=np.float64)
    if temperature == 1.0:
        return given
    p = np.clip(given, LEAST, 1.0 - LEAST)
    return np.asarray(1.0 / (1.0 + np.exp(-np.log(p / (1.0 - p)) / temperature)))


def harden(probability: float, temperature: float) -> float:
    """Return the probability that `soften` turns into this one.

    Examples:
        >>> round(harden(0.75, 2.0), 3)
        0.9
    """
    return float(soften(np.array(probability), 1.0 / temperature))


def fit_temperature(probabilities: Values, truth: NDArray[np.bool_], weights: Values | None = None) -> float:
    """Find the temperature under which the truth is most likely.

    Args:
        probabilities: (n,) in 0..1.
        truth: (n,).
        weights: (n,) > 0; without, all count alike.

    Returns:
        The temperature, 0.25..4; 1 when the truth is all of one kind, as nothing can be learned from that.

    Examples:
        >>> said, truth = np.full(4, 0.9), np.array([True, True, True, False])  # 9 : 1 said, 3 : 1 true
        >>> round(fit_temperature(said, truth), 2)
        2.0
    """
    if not truth.any() or truth.all():
        return 1.0
    p = np.clip(np.asarray(probabilities, dtype=np.float64), LEAST, 1.0 - LEAST)
    signed = np.where(truth, 1.0, -1.0) * np.log(p / (1.0 - p))

    def surprise(log_temperature: float) -> float:
        loss = np.logaddexp(0.0, -signed / math.exp(log_temperature))
        return float(np.average(loss, weights=weights))

    found = minimize_scalar(surprise, bounds=LOG_TEMPERATURES, method="bounded")
    return float(math.exp(found.x))


def conformal_quantile(scores: Values, coverage: float) -> tuple[float, float]:
    """Return the score that a new case does not exceed with a stated probability.

    Args:
        scores: (n,) of calibration cases, exchangeable with the new one.
        coverage: Wanted, 0..1.

    Returns:
        The score, and the coverage that holds: the wanted one, or n / (n + 1) where n cases can promise no more.

    Raises:
        ValueError: Without any score.

    Examples:
        >>> conformal_quantile(np.arange(1, 10), 0.8)  # rank 0.8 * (9 + 1)
        (8.0, 0.8)

    References:
        Vovk et al. 2005, DOI 10.1007/b106715; Lei et al. 2018, DOI 10.1080/01621459.2017.1307116.
    """
    if not len(scores):
        raise ValueError("Expected at least one score, found none.")
    n = len(scores)
    possible = min(coverage, n / (n + 1))
    # Rounding must not push the rank of 0.9 x 10 from 9 to 10.
    rank = min(math.ceil(possible * (n + 1) - 1e-9), n)
    return float(np.sort(np.asarray(scores, dtype=np.float64))[rank - 1]), possible
