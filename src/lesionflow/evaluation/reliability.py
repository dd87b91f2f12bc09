"""Does the model mean what it says? Its probabilities, its volume intervals and its predicted Dice, against the reference.

References:
    Naeini et al. 2015, AAAI 29(1): expected calibration error.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionflow.evaluation.statistics import (
    UNDEFINED,
    Estimate,
    bootstrap_weights,
    estimate_means,
    estimate_share,
    percentile_interval,
)
from lesionflow.metrics.probabilities import reliability
from lesionflow.metrics.ranking import Ranking, rank

N_BINS = 15
#: Voxels that the model finds less probable are not asked about: millions of them would outweigh a small tumor.
LEAST_PROBABILITY = 0.02
#: The bin of a tumor's voxels that are not asked about: what the model does not see at all must not make it look well calibrated.
NOT_ASKED = -1
#: What `score_case` keeps of a model's own words; NaN where its bundle has no figure to say it by.
SAID = (
    "predicted_dice", "stated_coverage", "interval_low_ml", "interval_high_ml", "oddity", "coverage_low", "coverage_high",
    "needs_review", "review_recall",
)  # fmt: skip
#: A mask below this Dice has failed: what the ranking and the review are judged by.
FAILED_DICE = 0.6


class BinCounts(NamedTuple):
    """Voxels of one case whose probability lies in one bin: how many, the sum of their probabilities, how many are tumor."""

    bin: int
    n: int
    sum_probability: float
    n_true: int


class Review(NamedTuple):
    """What came of pointing at masks: of the failed ones `n_found` of `n_failed` were, `n_flagged` of `n_cases` masks in all; `stated` was the recall."""

    stated: float
    n_found: int
    n_failed: int
    n_flagged: int
    n_cases: int


NO_RANKING = Ranking(math.nan, math.nan, math.nan, 0, 0)


class Reliability(NamedTuple):
    """How well one target's words held.

    `bins`: mean probability, share that is tumor, voxels. `coverage`: share of cases whose volume lies in the interval, which
    was stated for `stated_coverage` of them. `dice_error`: mean |predicted - measured Dice|. `n_flagged` of `n_cases` were
    called unlike the training data. `unseen`: share of the tumor's voxels that were given less than `LEAST_PROBABILITY`, so that
    the calibration error says nothing of them.
    `coverage_low` and `coverage_high`: between them lies the coverage of nine in ten bundles of as many validation patients. `ranking`: whether patients
    with a failed mask (Dice below `FAILED_DICE`) have the lower predicted Dice. `review`: what came of pointing at masks.
    """

    bins: tuple[tuple[float, float, int], ...]
    ece: Estimate
    stated_coverage: float
    coverage: Estimate
    dice_error: Estimate
    n_flagged: int
    n_cases: int
    unseen: Estimate = UNDEFINED
    coverage_low: float = math.nan
    coverage_high: float = math.nan
    ranking: Ranking = NO_RANKING
    review: Review | None = None


def count_bins(probabilities: NDArray[np.float32], truth: NDArray[np.bool_]) -> tuple[BinCounts, ...]:
    """Count one case's voxels by probability.

    Args:
        probabilities: Of one target, 0..1, any shape.
        truth: Same shape.

    Returns:
        The bins that hold anything; in `NOT_ASKED` the tumor's voxels below `LEAST_PROBABILITY`, where there are any.
    """
    asked = probabilities >= LEAST_PROBABILITY
    unseen = probabilities[truth & ~asked]
    rest = (BinCounts(NOT_ASKED, unseen.size, float(unseen.sum(dtype=np.float64)), unseen.size),) if unseen.size else ()
    return rest + tuple(
        BinCounts(
            min(int(group.probability * N_BINS), N_BINS - 1),
            group.n,
            group.probability * group.n,
            round(group.frequency * group.n),
        )
        for group in reliability(probabilities[asked], truth[asked], N_BINS)
    )


def measure_reliability(
    counts: pd.DataFrame, cases: pd.DataFrame, *, n_bootstrap: int, confidence_level: float, seed: int
) -> Reliability:
    """Measure how well the words of one target held.

    Args:
        counts: `BinCounts` with `patient_id`, a row a case and bin.
        cases: A row a case: `patient_id`, `dice`, `reference_ml` and `SAID`.
        n_bootstrap: Draws of patients.
        confidence_level: Of the intervals.
        seed: Of the draws.

    Returns:
        The figures; undefined ones are NaN.
    """
    inside = (cases["reference_ml"] >= cases["interval_low_ml"]) & (cases["reference_ml"] <= cases["interval_high_ml"])
    words = cases[["patient_id"]].assign(
        coverage=inside.astype(float).where(cases["interval_low_ml"].notna()),
        dice_error=(cases["predicted_dice"] - cases["dice"]).abs(),
    )
    found = estimate_means(
        words, ("coverage", "dice_error"), n_bootstrap=n_bootstrap, confidence_level=confidence_level, seed=seed
    )
    bins, ece = _calibration(counts[counts["bin"] != NOT_ASKED], n_bootstrap, confidence_level, seed)
    tumor = counts.assign(unseen=counts["n_true"].where(counts["bin"] == NOT_ASKED, 0))
    unseen = estimate_share(
        tumor, "unseen", "n_true", n_bootstrap=n_bootstrap, confidence_level=confidence_level, seed=seed
    )
    return Reliability(
        bins,
        ece,
        float(cases["stated_coverage"].mean()),
        found["coverage"],
        found["dice_error"],
        int((cases["oddity"] > 1.0).sum()),
        len(cases),
        unseen,
        float(_column(cases, "coverage_low").mean()),
        float(_column(cases, "coverage_high").mean()),
        _rank(cases),
        _review(cases),
    )


def _column(cases: pd.DataFrame, name: str) -> pd.Series:
    """Return what the model said by a name; NaN of tables made before it said so."""
    return cases[name].astype(float) if name in cases else pd.Series(math.nan, index=cases.index)


def _rank(cases: pd.DataFrame) -> Ranking:
    """Rank patients by the worst that was predicted of them, as several studies of one are no independent evidence."""
    known = cases[cases["predicted_dice"].notna()]
    worst = known.groupby("patient_id")[["predicted_dice", "dice"]].min()
    return rank(worst["predicted_dice"].to_numpy(dtype=float), (worst["dice"] < FAILED_DICE).to_numpy(dtype=bool))


def _review(cases: pd.DataFrame) -> Review | None:
    asked = _column(cases, "needs_review")
    known = asked.notna()
    if not known.any():
        return None
    flagged, failed = asked[known] > 0, cases.loc[known, "dice"] < FAILED_DICE
    stated = float(_column(cases, "review_recall")[known].mean())
    return Review(stated, int((flagged & failed).sum()), int(failed.sum()), int(flagged.sum()), int(known.sum()))


def _calibration(
    counts: pd.DataFrame, n_bootstrap: int, confidence_level: float, seed: int
) -> tuple[tuple[tuple[float, float, int], ...], Estimate]:
    if not len(counts):
        return (), UNDEFINED
    columns = ["n", "sum_probability", "n_true"]
    sums = counts.pivot_table(index="patient_id", columns="bin", values=columns, aggfunc="sum", fill_value=0)
    n, said, true = (sums[name].to_numpy(dtype=float) for name in columns)
    bins = tuple((s / k, t / k, int(k)) for k, s, t in zip(n.sum(0), said.sum(0), true.sum(0), strict=True))
    gaps = true - said
    draws = [np.abs(w @ gaps).sum(axis=1) / (w @ n).sum(axis=1) for w in bootstrap_weights(len(n), n_bootstrap, seed)]
    interval = percentile_interval(np.concatenate(draws), confidence_level)
    mean = float(np.abs(gaps.sum(axis=0)).sum() / n.sum())
    return bins, Estimate(mean, *interval, n=len(n), n_undefined=0)
