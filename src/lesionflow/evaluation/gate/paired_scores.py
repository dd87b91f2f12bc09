"""Scores of two models side by side, and the gain of each patient."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionflow.evaluation.empty_masks import KEYS, comparable
from lesionflow.metrics import METRICS

ALL = "all"


@dataclass(frozen=True, eq=False)
class ScoredPair:
    """The tables of a challenger and of the one it is held against, each a row a case and target.

    `known` keeps the gains that were computed, by metric and target: several rules ask for the same.
    """

    challenger: pd.DataFrame
    champion: pd.DataFrame
    known: dict[tuple[str, str], pd.DataFrame] = field(default_factory=dict, repr=False)


def targets_of(scores: pd.DataFrame, target: str) -> list[str]:
    """Return the targets that a rule is for: all that were scored, or the one that it names."""
    return [str(name) for name in scores["target"].unique()] if target == ALL else [target]


def gains_by_case(pair: ScoredPair, metric: str, target: str) -> pd.DataFrame:
    """Return the gain of each case, a row a case and target, where it is defined for both.

    A missed tumor and a false alarm have the worst value (`evaluation.empty_masks`).

    Args:
        pair: Both tables.
        metric: A name in `METRICS` with a direction.
        target: One, or `all`.

    Returns:
        `case_id`, `patient_id`, `target`, and `gain`, positive where the challenger is better, in the metric's unit.
    """
    if (metric, target) not in pair.known:
        names = targets_of(pair.challenger, target)
        found = (
            pd.concat([gains_by_case(pair, metric, name) for name in names], ignore_index=True)
            if target == ALL and names
            else _gains_of_target(pair, metric, target)
        )
        pair.known[metric, target] = found
    return pair.known[metric, target]


def _gains_of_target(pair: ScoredPair, metric: str, target: str) -> pd.DataFrame:
    sides = [side[side["target"] == target] for side in (pair.challenger, pair.champion)]
    values, _ = comparable(sides, metric)
    gain = METRICS[metric].direction * (values[0] - values[1])
    found = sides[0][[*KEYS, "patient_id"]].assign(gain=gain.to_numpy(dtype=float))
    return found[found["gain"].notna()]


def gains_by_patient(pair: ScoredPair, metric: str, target: str) -> NDArray[np.float64]:
    """Return each patient's mean gain (patient,) over cases and targets; one with many follow-ups does not outweigh the others."""
    return patient_means(gains_by_case(pair, metric, target)).to_numpy(dtype=float)


def patient_means(gains: pd.DataFrame) -> pd.Series:
    """Return the mean of `gain` of each patient, first over the cases of a target, then over targets."""
    # By counting rather than by groups of a table: the gate asks for it a dozen times, a simulation of it a hundred thousand times.
    patients, names = pd.factorize(gains["patient_id"], sort=True)
    targets, kinds = pd.factorize(gains["target"])
    places, shape = patients * max(len(kinds), 1) + targets, (len(names), max(len(kinds), 1))
    counts = np.bincount(places, minlength=shape[0] * shape[1]).reshape(shape)
    sums = np.bincount(places, gains["gain"].to_numpy(dtype=float), minlength=shape[0] * shape[1]).reshape(shape)
    by_target = np.divide(sums, counts, out=np.zeros(shape), where=counts > 0)
    return pd.Series(by_target.sum(axis=1) / (counts > 0).sum(axis=1), index=names, dtype=float)
