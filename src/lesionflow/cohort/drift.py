"""How far cases lie from those that the champion was trained on."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

#: Fewer cases say nothing about a distribution.
LEAST_CASES = 10
#: A figure lies beyond the champion's data when it lies this share of their range outside it.
MARGIN_FRACTION = 0.25
#: A shift counts when chance alone makes it this rarely, for all figures together (Bonferroni).
CHANCE = 0.01


class Drift(NamedTuple):
    """For each case the figures that lie beyond the champion's data (None: none), and the largest shift of all new cases.

    `shift` is Kolmogorov and Smirnov's statistic: the largest difference of two cumulative distributions, 0 to 1.
    """

    beyond: tuple[str | None, ...]
    shift: float


def measure_drift(table: pd.DataFrame, champion_cases: Collection[str], figures: Sequence[str]) -> Drift:
    """Compare the cases that the champion has not seen with those it was trained on.

    Args:
        table: The case table.
        champion_cases: Case ids that the champion was trained and validated on.
        figures: Numeric columns to compare.

    Returns:
        The drift; none where fewer than `LEAST_CASES` of the champion's cases are in the table.
    """
    seen = table["case_id"].isin(list(champion_cases)).to_numpy()
    nothing = Drift((None,) * len(table), 0.0)
    if seen.sum() < LEAST_CASES or seen.all():
        return nothing
    beyond: list[list[str]] = [[] for _ in range(len(table))]
    shift = 0.0
    for figure in figures:
        values = table[figure].to_numpy(dtype=float)
        known = values[seen & np.isfinite(values)]
        fresh = ~seen & np.isfinite(values)
        if len(known) < LEAST_CASES or not fresh.any():
            continue
        margin = MARGIN_FRACTION * float(known.max() - known.min())
        for row in np.flatnonzero(fresh & ((values < known.min() - margin) | (values > known.max() + margin))):
            beyond[row].append(f"{figure} {values[row]:.4g}")
        if fresh.sum() >= LEAST_CASES:
            test = ks_2samp(known, values[fresh])
            shift = max(shift, float(test.statistic) if test.pvalue < CHANCE / len(figures) else 0.0)
    return Drift(tuple(", ".join(words) or None for words in beyond), shift)
