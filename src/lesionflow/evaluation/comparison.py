"""Two models on the same patients: by how much one is better, how sure that is, and whether chance alone explains it.

Interval and p are those of the gate (`evaluation.statistics.sign_flip`): a challenger that it promotes is `better` here too, at the level of that decision
(`Judgement.level`).

References:
    Correction for the number of metrics: Holm 1979, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 65-70.
    The metric that was named first is tested first and keeps its p: Maurer, Hothorn and Lehmacher 1995, hypotheses in an order fixed before.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from scipy.stats import t as student

from lesionflow.errors import ArtifactError
from lesionflow.evaluation.empty_masks import KEYS, comparable
from lesionflow.evaluation.gate.wording import in_digits
from lesionflow.evaluation.statistics.sign_flip import gain_interval, two_sided_p
from lesionflow.metrics import METRICS

#: Cases named in a message.
MAX_NAMED_CASES = 5


class MetricDifference(NamedTuple):
    """One metric of two models, paired by patient.

    `gain` is how much better the second is, in the metric's unit: positive is better, whichever way the metric points;
    `low` and `high` its interval, infinite where so few patients can't bound it. `p` is two-sided; `p_corrected` is that of the first metric, and Holm's
    for all others.
    `n_undefined_for_one` cases have a figure for one model alone and are left out. `n_worst_first` and `n_worst_second` cases of each
    have no finite value, as a tumor was missed or made up: there the worst stands for it (`evaluation.empty_masks`).
    """

    metric: str
    target: str
    first: float
    second: float
    gain: float
    low: float
    high: float
    p: float
    p_corrected: float
    n_patients: int
    n_undefined_for_one: int
    n_worst_first: int = 0
    n_worst_second: int = 0

    def verdict(self, confidence_level: float) -> str:
        """Return `better`, `worse`, or `not told apart` where chance explains the difference."""
        if math.isnan(self.p_corrected) or self.p_corrected >= 1.0 - confidence_level:
            return "not told apart"
        return "better" if self.gain > 0 else "worse"

    def sentence(self, confidence_level: float) -> str:
        """Say it in words: `better by 0.021 [0.008, 0.035], p = 0.004`."""
        if not self.n_patients:
            return "no patient has the figure for both"
        verdict = self.verdict(confidence_level)
        p = "p < 0.001" if self.p_corrected < 0.001 else f"p = {self.p_corrected:.3f}"
        unit = f" {METRICS[self.metric].unit}" if METRICS[self.metric].unit else ""
        if math.isinf(self.low):
            return (
                f"{verdict}: {in_digits(self.gain, sign='+')}{unit}, which {self.n_patients} patients can't bound, {p}"
            )
        if verdict == "not told apart":
            # Adding 0 makes -0 a 0.
            return f"not told apart: {in_digits(self.gain, sign='+')}{unit} [{in_digits(self.low + 0.0)}, {in_digits(self.high + 0.0)}], {p}"
        # "Worse by" counts the other way: the whole interval turns with it.
        low, high = (self.low, self.high) if self.gain > 0 else (-self.high, -self.low)
        return f"{verdict} by {in_digits(abs(self.gain))}{unit} [{in_digits(low)}, {in_digits(high)}], {p}"

    def penalty(self) -> str:
        """Say for how many cases the worst value stands; empty where every case has a finite one."""
        if not self.n_worst_first and not self.n_worst_second:
            return ""
        return (
            f"{self.n_worst_first} and {self.n_worst_second} cases missed or made up count as far as the image is wide"
        )


class SeedNoise(NamedTuple):
    """How one figure moves from training to training: its standard deviation, and how far two may lie apart by chance."""

    metric: str
    target: str
    n_trainings: int
    deviation: float
    limit: float


def compare_tables(
    first: pd.DataFrame,
    second: pd.DataFrame,
    metrics: Sequence[str],
    *,
    confidence_level: float,
) -> tuple[MetricDifference, ...]:
    """Compare two models' scores on the same cases.

    Args:
        first: A row a case and target: `case_id`, `patient_id`, `target` and the metrics.
        second: The other model's, for the same cases and targets.
        metrics: Names in `METRICS` with a direction, first the one that decides.
        confidence_level: Of the intervals.

    Returns:
        A difference a target and metric; p of all but the first metric is corrected for their number, target by target.

    Raises:
        ArtifactError: When the two were not scored on the same cases and targets, or one was not scored by a metric.
    """
    require_comparable(first, second, metrics)
    found: list[MetricDifference] = []
    for target in dict.fromkeys(first["target"]):
        rows = [table[table["target"] == target] for table in (first, second)]
        plain = [_compare(rows, target, name, confidence_level) for name in metrics]
        corrected = [plain[0].p, *holm([difference.p for difference in plain[1:]])] if plain else []
        found += [d._replace(p_corrected=p) for d, p in zip(plain, corrected, strict=True)]
    return tuple(found)


def measure_seed_noise(
    trainings: Sequence[pd.DataFrame], metrics: Sequence[str], confidence_level: float
) -> tuple[SeedNoise, ...]:
    """Measure how much figures move when a model is trained again with another seed and nothing else changed.

    Intervals and p-values speak of other patients; they know nothing of another seed.

    Args:
        trainings: Scores of at least two trainings on the same cases.
        metrics: Names in `METRICS`.
        confidence_level: How often two trainings differ by no more than `limit`.

    Returns:
        The noise of each target and metric, from the means over patients.

    Raises:
        ArtifactError: When there are fewer than two, or they were not scored on the same cases.
    """
    if len(trainings) < 2:
        raise ArtifactError(f"Expected two trainings or more to compare their seeds, found {len(trainings)}.")
    for other in trainings[1:]:
        require_comparable(trainings[0], other, metrics)
    means = {name: _means_by_target(trainings, name) for name in metrics}
    # Two trainings differ with the root of two times the deviation of one; few of them know it badly, hence Student's t.
    quantile = float(student.ppf((1.0 + confidence_level) / 2.0, len(trainings) - 1)) * math.sqrt(2.0)
    found = []
    for target in dict.fromkeys(trainings[0]["target"]):
        for name in metrics:
            values = means[name].loc[target].to_numpy(dtype=float)
            deviation = float(values.std(ddof=1))
            found.append(SeedNoise(name, str(target), len(trainings), deviation, quantile * deviation))
    return tuple(found)


def of_shared_targets(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return of two tables the rows whose targets both models find: nothing can be said of the others.

    Args:
        first: A row a case and target.
        second: The other model's.

    Raises:
        ArtifactError: When they have no target in common.
    """
    rows = first["target"].isin(second["target"].unique()), second["target"].isin(first["target"].unique())
    if not rows[0].any():
        raise ArtifactError("Expected two models with a target in common, found none: nothing of them can be compared.")
    return first[rows[0]], second[rows[1]]


def require_comparable(first: pd.DataFrame, second: pd.DataFrame, metrics: Sequence[str]) -> None:
    """Refuse two tables that do not hold the same cases and targets once each, or not the metrics.

    Raises:
        ArtifactError: Naming the cases or targets that only one has, or the metrics that one lacks.
    """
    if missing := [name for name in metrics if name not in first or name not in second]:
        raise ArtifactError(
            f"Expected two models scored by {', '.join(missing)}, found one without: it was scored by another version of "
            "lesionflow. Evaluate both with this one."
        )
    if alone := sorted({str(name) for name in set(first["target"]) ^ set(second["target"])}):
        raise ArtifactError(
            f"Expected two models that find the same targets, found {', '.join(alone)} of one alone. Compare what both find."
        )
    ours, theirs = (list(table[KEYS].itertuples(index=False, name=None)) for table in (first, second))
    odd = sorted({str(case_id) for case_id, _ in set(ours) ^ set(theirs)})
    if odd:
        more = f" and {len(odd) - MAX_NAMED_CASES} more" if len(odd) > MAX_NAMED_CASES else ""
        raise ArtifactError(
            f"Expected two models scored on the same cases and targets, found {', '.join(odd[:MAX_NAMED_CASES])}{more} "
            "for one alone. Evaluate both on the present test set."
        )
    if len(ours) != len(set(ours)) or len(theirs) != len(set(theirs)):
        raise ArtifactError("Expected each case and target once, found some twice. Run evaluate again.")


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number by Holm's step-down rule; NaN stays NaN and is not counted."""
    corrected = [math.nan] * len(p_values)
    order = sorted((p, i) for i, p in enumerate(p_values) if not math.isnan(p))
    highest = 0.0
    for rank, (p, i) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        corrected[i] = highest
    return corrected


def _means_by_target(trainings: Sequence[pd.DataFrame], metric: str) -> pd.DataFrame:
    """Return the mean over patients of each target (row) and training (column)."""
    patients = trainings[0].set_index(KEYS)["patient_id"]
    values, _ = comparable(trainings, metric)
    by_patient = values.groupby([values.index.get_level_values("target"), patients.reindex(values.index)]).mean()
    return by_patient.groupby(level="target").mean()


def _compare(rows: Sequence[pd.DataFrame], target: str, metric: str, confidence_level: float) -> MetricDifference:
    values, infinite = comparable(rows, metric)
    scores = values.set_axis(["first", "second"], axis=1).assign(patient_id=rows[0]["patient_id"].to_numpy())
    n_odd = int((scores["first"].isna() != scores["second"].isna()).sum())
    n_worst_first, n_worst_second = (int(n) for n in infinite.sum())
    means = scores.dropna().groupby("patient_id", sort=True)[["first", "second"]].mean()
    counts = {"n_undefined_for_one": n_odd, "n_worst_first": n_worst_first, "n_worst_second": n_worst_second}
    if not len(means):
        nothing = (math.nan,) * 7
        return MetricDifference(metric, target, *nothing, n_patients=0, **counts)
    gains = METRICS[metric].direction * (means["second"] - means["first"]).to_numpy(dtype=float)
    low, high = gain_interval(gains, confidence_level)
    return MetricDifference(
        metric,
        target,
        first=float(means["first"].mean()),
        second=float(means["second"].mean()),
        gain=float(gains.mean()),
        low=low,
        high=high,
        p=two_sided_p(gains),
        p_corrected=math.nan,
        n_patients=len(gains),
        **counts,
    )
