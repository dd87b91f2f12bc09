"""How sure a figure is: bootstrap by patient, and exact intervals of rates.

References:
    Efron and Tibshirani 1993, An Introduction to the Bootstrap, DOI 10.1201/9780429246593: percentile intervals.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionflow.evaluation.empty_masks import FALSE_ALARM, outcomes
from lesionflow.evaluation.statistics.rates import clopper_pearson, clustered_rate
from lesionflow.metrics import METRICS

#: Draws at a time, so that memory stays small whatever the number of draws.
DRAWS_AT_A_TIME = 1000


class Estimate(NamedTuple):
    """A mean over patients with its interval; `n` patients have a value, `n_undefined` cases have none.

    Of `n_cases`, `n_missed` and `n_false_alarms` have no finite value, as the tumor was missed or made up: the mean is over the others,
    and says nothing without these numbers beside it.
    """

    mean: float
    low: float
    high: float
    n: int
    n_undefined: int
    n_cases: int = 0
    n_missed: int = 0
    n_false_alarms: int = 0

    @property
    def n_finite(self) -> int:
        """How many cases are behind the mean."""
        return self.n_cases - self.n_undefined - self.n_missed - self.n_false_alarms

    def left_out(self) -> str:
        """Say which cases the mean is not over, `over 8 of 12 cases; 4 missed`; empty where every case has a value."""
        why = {"missed": self.n_missed, "false alarms": self.n_false_alarms, "undefined": self.n_undefined}
        named = ", ".join(f"{n} {word[:-1] if n == 1 and word.endswith('s') else word}" for word, n in why.items() if n)
        return f"over {self.n_finite} of {self.n_cases} cases; {named}" if named else ""


UNDEFINED = Estimate(float("nan"), float("nan"), float("nan"), 0, 0)


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
        An estimate a metric; NaN where no case has a finite value. With one patient the interval is the value itself. Where every patient has the
        best or the worst value that there is, no draw differs: there the interval is Clopper and Pearson's, of as many trials as patients.
    """
    infinite, kinds = np.isinf(table[list(metrics)].astype(float)), outcomes(table)
    finite = table[list(metrics)].astype(float).mask(infinite)
    values = finite.groupby(table["patient_id"], sort=True).mean().to_numpy(dtype=float)
    n_undefined = table[list(metrics)].isna().sum()
    n_false_alarms = infinite[kinds == FALSE_ALARM].sum()
    defined = ~np.isnan(values)
    # A mean over those patients that have a value is a share too: the sum of values by the number of values.
    shares = _estimate_ratios(np.nan_to_num(values), defined.astype(float), n_bootstrap, confidence_level, seed)
    return {
        name: Estimate(
            *_at_a_bound(name, share, int(defined[:, column].sum()), confidence_level),
            n=int(defined[:, column].sum()),
            n_undefined=int(n_undefined[name]),
            n_cases=len(table),
            n_missed=int(infinite[name].sum() - n_false_alarms[name]),
            n_false_alarms=int(n_false_alarms[name]),
        )
        for column, (name, share) in enumerate(zip(metrics, shares, strict=True))
    }


def estimate_share(
    table: pd.DataFrame, part: str, whole: str, *, n_bootstrap: int, confidence_level: float, seed: int
) -> Estimate:
    """Estimate a share over all patients together, such as lesions found among all lesions.

    Args:
        table: One row a case, a lesion or whatever is counted, with `patient_id`, which is drawn.
        part: Column that is summed for the numerator.
        whole: Column that is summed for the denominator.
        n_bootstrap: Draws of patients with replacement.
        confidence_level: Coverage of the interval, in 0..1.
        seed: Of the draws.

    Returns:
        The share; NaN where the denominator is 0. `n` is the number of patients that add to the denominator.
    """
    sums = table.groupby("patient_id", sort=True)[[part, whole]].sum().to_numpy(dtype=float)
    [share] = _estimate_ratios(sums[:, :1], sums[:, 1:], n_bootstrap, confidence_level, seed)
    return Estimate(*share, n=int(np.count_nonzero(sums[:, 1])), n_undefined=0)


def estimate_rate(table: pd.DataFrame, part: str, whole: str, *, confidence_level: float) -> Estimate:
    """Estimate a rate over all patients together, such as lesions found among all lesions, with an exact interval.

    Args:
        table: One row a case or a lesion, with `patient_id`.
        part: Column that says how often it happened, 0..`whole`.
        whole: Column that says among how many.
        confidence_level: Coverage of the interval, in 0..1.

    Returns:
        The rate; NaN where the denominator is 0. `n` is the number of patients that add to the denominator.
    """
    sums = table.groupby("patient_id", sort=True)[[part, whole]].sum().to_numpy(dtype=float)
    found = clustered_rate(sums[:, 0], sums[:, 1], confidence_level)
    return Estimate(found.rate, found.low, found.high, n=int(np.count_nonzero(sums[:, 1])), n_undefined=0)


def bootstrap_weights(n_patients: int, n_bootstrap: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Draw patients with replacement.

    Yields:
        (draw, patient) how often each patient is in each draw; not more than `DRAWS_AT_A_TIME` draws at once.
    """
    random = np.random.default_rng(seed)
    for start in range(0, n_bootstrap, DRAWS_AT_A_TIME):
        size = min(DRAWS_AT_A_TIME, n_bootstrap - start)
        # Resampling with replacement is one multinomial a draw.
        yield random.multinomial(n_patients, np.full(n_patients, 1.0 / n_patients), size=size).astype(float)


def percentile_interval(draws: NDArray[np.float64], confidence_level: float) -> tuple[float, float]:
    """Return the middle share of the draws (draw,); NaN where none is defined."""
    defined = draws[~np.isnan(draws)]
    if not defined.size:
        return float("nan"), float("nan")
    tail = 100.0 * (1.0 - confidence_level) / 2.0
    low, high = np.percentile(defined, (tail, 100.0 - tail))
    return float(low), float(high)


def _at_a_bound(
    metric: str, share: tuple[float, float, float], n_patients: int, confidence_level: float
) -> tuple[float, float, float]:
    """Widen the interval of a metric in 0..1 that is 0 or 1 for each of several patients."""
    mean, low, high = share
    entry = METRICS.get(metric)
    if (
        entry is None
        or (entry.lower, entry.upper) != (0.0, 1.0)
        or n_patients < 2
        or low != high
        or mean not in {0.0, 1.0}
    ):
        return share
    return (mean, *clopper_pearson(mean * n_patients, n_patients, confidence_level))


def _estimate_ratios(
    parts: NDArray[np.float64],
    wholes: NDArray[np.float64],
    n_bootstrap: int,
    confidence_level: float,
    seed: int,
) -> list[tuple[float, float, float]]:
    """Return sum(parts) / sum(wholes) and its interval for each column of (patient, column)."""
    if not len(parts):
        return [UNDEFINED[:3]] * parts.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = parts.sum(axis=0) / wholes.sum(axis=0)
        draws = np.concatenate(
            [(drawn @ parts) / (drawn @ wholes) for drawn in bootstrap_weights(len(parts), n_bootstrap, seed)]
        )
    return [
        (float(ratio), *percentile_interval(draws[:, column], confidence_level)) for column, ratio in enumerate(ratios)
    ]
