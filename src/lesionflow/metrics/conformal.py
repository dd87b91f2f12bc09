"""Conformal quantiles by patient, and how far the coverage of one fit may lie from what it promises.

References:
    Vovk et al. 2005, DOI 10.1007/b106715; Lei et al. 2018, DOI 10.1080/01621459.2017.1307116: one score a patient.
    Lee, Barber and Willett 2023, arXiv:2306.06342: several scores a patient (hierarchical conformal prediction).
    Vovk 2012, PMLR 25:475-490: the coverage of one fit follows a Beta distribution.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

#: Rounding must not push the rank of 0.9 x 10 from 9 to 10.
ROUNDING = 1e-9
#: Share of fits whose coverage lies within the band that is told: a twentieth below, a twentieth above.
BAND = 0.9


class PatientQuantile(NamedTuple):
    """The score that a study of a new patient does not exceed, with probability `coverage`, by so many patients."""

    score: float
    coverage: float
    n_patients: int


class Band(NamedTuple):
    """Where the coverage of one fit lies, in nine of ten fits on as many patients."""

    low: float
    high: float


def patient_quantile(scores: NDArray[np.floating], patients: Sequence[str], coverage: float) -> PatientQuantile:
    """Return the score that a study of a new patient does not exceed with a stated probability.

    Each patient weighs alike, whatever the number of their studies, as those of one patient are no independent evidence. With one study
    a patient it is the split-conformal quantile.

    Args:
        scores: (n,) of calibration studies.
        patients: Whose each is; patients are exchangeable with the new one.
        coverage: Wanted, 0..1.

    Returns:
        The score, and the coverage that holds: the wanted one, or n / (n + 1) where n patients can promise no more.

    Raises:
        ValueError: Without any score.

    Examples:
        Of two studies of one patient, each weighs half: 3/4 of (2 + 1) patients is beyond all, so that 2/3 is promised.

        >>> patient_quantile(np.array([1.0, 5.0, 2.0]), ["a", "a", "b"], 0.75)
        PatientQuantile(score=5.0, coverage=0.6666666666666666, n_patients=2)
        >>> patient_quantile(np.array([1.0, 5.0, 2.0]), ["a", "a", "b"], 0.5).score
        2.0
    """
    if not len(scores):
        raise ValueError("Expected at least one score, found none.")
    _, whose, n_studies = np.unique(np.asarray(patients), return_inverse=True, return_counts=True)
    n = len(n_studies)
    possible = min(coverage, n / (n + 1))
    order = np.argsort(np.asarray(scores, dtype=np.float64), kind="stable")
    reached = np.cumsum(1.0 / n_studies[whose[order]]) / (n + 1)
    place = min(int(np.searchsorted(reached, possible - ROUNDING)), len(order) - 1)
    return PatientQuantile(float(scores[order[place]]), possible, n)


def coverage_band(n_patients: int, coverage: float) -> Band:
    """Return how far the coverage of one fit on so many patients may be from what fits promise on average.

    The coverage of a conformal quantile of rank k of n, over all new patients, is Beta(k, n + 1 - k) distributed. Where patients have several
    studies that differ, it scatters less.

    Args:
        n_patients: Of the fit.
        coverage: Promised, at most n / (n + 1).

    Examples:
        Of 5 patients the largest error is taken: its coverage has the distribution p^5.

        >>> [round(share, 3) for share in coverage_band(5, 5 / 6)]
        [0.549, 0.99]
    """
    rank = min(math.ceil(coverage * (n_patients + 1) - ROUNDING), n_patients)
    low, high = beta.ppf([(1 - BAND) / 2, (1 + BAND) / 2], rank, n_patients + 1 - rank)
    return Band(float(low), float(high))
