"""An evaluation: scores, how sure they are, for whom they hold, and whether they beat the champion's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

from lesionflow.evaluation.comparison import MetricDifference, compare_tables, of_shared_targets
from lesionflow.evaluation.empty_masks import BOTH, FALSE_ALARM, MISSED, NEITHER, outcomes
from lesionflow.evaluation.froc import Froc, froc_curve
from lesionflow.evaluation.reliability import Reliability, measure_reliability
from lesionflow.evaluation.scoring import Scores
from lesionflow.evaluation.statistics import Estimate, estimate_means, estimate_rate, estimate_share
from lesionflow.evaluation.subgroups import Subgroup, estimate_subgroups
from lesionflow.metrics import HEADLINE, METRICS
from lesionflow.metrics.lesion import SIZE_CLASSES_ML, size_class

#: What is shown of each subgroup: more columns would hide the number of patients.
SUBGROUP_METRICS = ("dice", "hd95_mm", "lesion_recall", "n_false_positive_lesions")


class Sampling(NamedTuple):
    """How intervals are made."""

    n_bootstrap: int
    confidence_level: float
    seed: int


class ChampionScores(NamedTuple):
    """Another model, scored on the same cases: its name for people and its table of cases."""

    name: str
    cases: pd.DataFrame


class SizeClass(NamedTuple):
    """Lesions of one class of size, all cases together."""

    name: str
    n_reference: int
    recall: Estimate
    dice: Estimate
    n_predicted: int
    precision: Estimate


@dataclass(frozen=True, eq=False)
class TargetResult:
    """What was found for one target.

    Args:
        estimates: By metric.
        sizes: By class of size, smallest first.
        subgroups: For whom it holds.
        froc: None when no case has a lesion.
        reliability: Whether the model's own words held.
        differences: To the champion; empty without one.
        with_tumor: By headline metric, of the cases whose reference holds the target alone: a case without one is 1 where nothing is found.
        n_cases_with_tumor: Cases whose reference holds the target.
        n_missed_cases: Those of them in which nothing was found.
        n_cases_without_tumor: Cases whose reference does not hold it.
        n_false_alarm_cases: Those of them in which something was found.
    """

    estimates: Mapping[str, Estimate]
    sizes: tuple[SizeClass, ...]
    subgroups: tuple[Subgroup, ...]
    froc: Froc | None
    reliability: Reliability
    differences: tuple[MetricDifference, ...]
    with_tumor: Mapping[str, Estimate] = field(default_factory=dict)
    n_cases_with_tumor: int = 0
    n_missed_cases: int = 0
    n_cases_without_tumor: int = 0
    n_false_alarm_cases: int = 0

    def tumors_alone(self, metric: str) -> Estimate | None:
        """Return the mean of the cases that have a tumor, where there are others that move it; else None."""
        found = self.with_tumor.get(metric)
        moved = found is not None and self.n_cases_without_tumor > 0 and found.n > 0
        return found if moved and found is not None and found.mean != self.estimates[metric].mean else None


def summarize(
    scores: Scores,
    cases: pd.DataFrame,
    targets: tuple[str, ...],
    sampling: Sampling,
    champion: ChampionScores | None = None,
) -> dict[str, TargetResult]:
    """Summarize scores target by target.

    Args:
        scores: What `score_bundle` gave.
        cases: The case table, for subgroups.
        targets: Names, in the plan's order.
        sampling: How intervals are made.
        champion: The champion, scored on the same cases; compared in the targets that both find.

    Returns:
        A result a target.

    Raises:
        ArtifactError: When the champion was scored on other cases.
    """
    level = sampling.confidence_level
    pair = of_shared_targets(champion.cases, scores.cases) if champion else None
    differences = compare_tables(*pair, HEADLINE, confidence_level=level) if pair else ()
    return {
        target: TargetResult(
            estimates=estimate_means(_of(scores.cases, target), tuple(METRICS), **sampling._asdict()),
            sizes=_sizes(_of(scores.lesions, target), sampling),
            subgroups=estimate_subgroups(_of(scores.cases, target), cases, SUBGROUP_METRICS, **sampling._asdict()),
            froc=froc_curve(_of(scores.detections, target), confidence_level=level),
            reliability=measure_reliability(_of(scores.bins, target), _of(scores.cases, target), **sampling._asdict()),
            differences=tuple(d for d in differences if d.target == target),
            with_tumor=estimate_means(_with_tumor(_of(scores.cases, target)), HEADLINE, **sampling._asdict()),
            **_count_misses(_of(scores.cases, target)),
        )
        for target in targets
    }


def _of(table: pd.DataFrame, target: str) -> pd.DataFrame:
    return table[table["target"] == target]


def _with_tumor(cases: pd.DataFrame) -> pd.DataFrame:
    return cases[outcomes(cases).isin((BOTH, MISSED))]


def _count_misses(cases: pd.DataFrame) -> dict[str, int]:
    kinds = outcomes(cases)
    return {
        "n_cases_with_tumor": int(kinds.isin((BOTH, MISSED)).sum()),
        "n_missed_cases": int((kinds == MISSED).sum()),
        "n_cases_without_tumor": int(kinds.isin((NEITHER, FALSE_ALARM)).sum()),
        "n_false_alarm_cases": int((kinds == FALSE_ALARM).sum()),
    }


def _sizes(lesions: pd.DataFrame, sampling: Sampling) -> tuple[SizeClass, ...]:
    table = lesions.assign(
        size=[size_class(volume) for volume in lesions["volume_ml"]], one=1.0, found=lesions["matched"].astype(float)
    )
    classes = []
    for name in SIZE_CLASSES_ML:
        real, predicted = (
            table[(table["size"] == name) & (table["kind"] == kind)] for kind in ("reference", "predicted")
        )
        classes.append(
            SizeClass(
                name,
                len(real),
                estimate_rate(real, "found", "one", confidence_level=sampling.confidence_level),
                estimate_share(real, "dice", "one", **sampling._asdict()),
                len(predicted),
                estimate_rate(predicted, "found", "one", confidence_level=sampling.confidence_level),
            )
        )
    return tuple(classes)
