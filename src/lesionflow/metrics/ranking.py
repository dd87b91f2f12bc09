"""Are the bad ones told from the good? The area under the ROC curve of a score, with an interval that few cases allow.

References:
    Hanley and McNeil 1982, DOI 10.1148/radiology.143.1.7063747: the area and its variance.
    Newcombe 2006, DOI 10.1002/sim.2324: the interval (his method 5), which has a width where all are told apart too.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm, rankdata

#: Areas are looked for this far from 0 and 1.
LEAST = 1e-9


class Ranking(NamedTuple):
    """P(a bad one has a lower score than a good one), ties counting half, with its interval; NaN without both kinds."""

    area: float
    low: float
    high: float
    n_bad: int
    n_good: int


def rank(scores: NDArray[np.floating], bad: NDArray[np.bool_], level: float = 0.95) -> Ranking:
    """Measure how well low scores tell the bad from the good.

    Args:
        scores: (n,), one a patient, as cases of one patient are no independent evidence.
        bad: (n,).
        level: Of the interval, 0..1.

    Examples:
        Two bad, three good; of six pairs one is in the wrong order.

        >>> found = rank(np.array([0.1, 0.6, 0.5, 0.7, 0.9]), np.array([True, True, False, False, False]))
        >>> round(found.area, 3), found.n_bad, found.n_good
        (0.833, 2, 3)
        >>> rank(np.array([0.1, 0.6]), np.array([True, False])).high
        1.0
    """
    n_bad, n_good = int(bad.sum()), int((~bad).sum())
    if not n_bad or not n_good:
        return Ranking(math.nan, math.nan, math.nan, n_bad, n_good)
    ranks = rankdata(-np.asarray(scores, dtype=np.float64))
    area = float((ranks[bad].sum() - n_bad * (n_bad + 1) / 2) / (n_bad * n_good))
    return Ranking(area, *_interval(area, n_bad, n_good, level), n_bad, n_good)


def _interval(area: float, n_bad: int, n_good: int, level: float) -> tuple[float, float]:
    """Return the areas that lie as far from the one seen as their own standard errors allow."""
    z, pairs = float(norm.ppf((1 + level) / 2)), (n_bad + n_good) / 2 - 1

    def beyond(true: float) -> float:
        spread = true * (1 - true) * (1 + pairs * ((1 - true) / (2 - true) + true / (1 + true))) / (n_bad * n_good)
        return (area - true) ** 2 - z**2 * spread

    inside = min(max(area, LEAST), 1 - LEAST)
    low = float(brentq(beyond, LEAST, inside)) if beyond(LEAST) > 0 > beyond(inside) else 0.0
    high = float(brentq(beyond, inside, 1 - LEAST)) if beyond(1 - LEAST) > 0 > beyond(inside) else 1.0
    return low, high
