"""What the locked test set can show, said before a model is trained: the smallest gain that would be seen."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from lesionflow.config.change_plan import ALL_TARGETS, ChangePlan
from lesionflow.evaluation.statistics.looks import alpha_of_look
from lesionflow.evaluation.statistics.power import smallest_detectable_gain
from lesionflow.metrics.display_names import spell_metric

#: How probable it shall be that a true gain is seen: the convention of trials.
POWER = 0.8
#: A pair that scatters by less than this part of another was one of nearly the same network.
MUCH_SMALLER = 0.5


class Scatter(NamedTuple):
    """How far patients scatter: the standard deviation, over how many, whether it is that of paired differences, and between whom."""

    sd: float
    n: int
    paired: bool
    between: str = ""


def scatter_of(champion: pd.DataFrame, other: pd.DataFrame | None, plan: ChangePlan, between: str = "") -> Scatter:
    """Measure the scatter by which a gain must be told.

    Args:
        champion: Scores by case and target.
        other: Those of another version on the same cases: their paired differences scatter as the next model's will. None without:
            then the champion's own scatter stands for it, as if two models agreed by a correlation of one half.
        plan: Names the primary endpoint.
        between: Whose differences these are, in words.
    """
    ours = _by_patient(champion, plan)
    if other is not None:
        differences = (ours - _by_patient(other, plan)).dropna()
        if len(differences) > 1:
            return Scatter(float(differences.std(ddof=1)), len(differences), paired=True, between=between)
    return Scatter(float(ours.std(ddof=1)) if len(ours) > 1 else math.nan, len(ours), paired=False)


def describe_power(scatters: Sequence[Scatter], n_patients: int, looks_spent: int, plan: ChangePlan) -> str:
    """Say which gain the locked test set can show, by the largest scatter known; where another pair's is much smaller, by that too.

    Two versions that are nearly one network scatter hardly at all, which says little of a network that is trained anew.

    Args:
        scatters: Of the champion, or of paired differences, of as many pairs as are known; at least one.
        n_patients: In the locked test set.
        looks_spent: At it, before the one to come.
        plan: Alpha, looks and the primary endpoint.
    """
    metric, look = plan.primary.metric, looks_spent + 1
    if look > plan.looks:
        return f"All {plan.looks} looks at this test set are spent: nothing can be shown on it. New patients fill it up; the decision will say how many are needed."
    scatter, least = max(scatters, key=lambda one: one.sd), min(scatters, key=lambda one: one.sd)
    alpha = alpha_of_look(look, plan.looks, plan.alpha)
    gain = smallest_detectable_gain(scatter.sd, n_patients, alpha, POWER) if math.isfinite(scatter.sd) else math.inf
    if not math.isfinite(gain):
        return f"{n_patients} patients are tested on: whatever the gain, it can't be shown at look {look} of {plan.looks} (alpha {alpha:.4f}). Lock more patients away."
    source = (
        f"paired differences of {scatter.n} patients{f' between {scatter.between}' if scatter.between else ''} scatter by {scatter.sd:.3f}"
        if scatter.paired
        else f"no two versions were scored on the same patients yet: the champion's {scatter.n} patients scatter by {scatter.sd:.3f}, taken for that of differences"
    )
    alike = ""
    if least.sd < MUCH_SMALLER * scatter.sd:
        smaller = smallest_detectable_gain(least.sd, n_patients, alpha, POWER) + plan.primary.min_gain
        alike = f" Of a challenger as like the champion as {least.between or 'others were'} scatter by {least.sd:.3f}, {smaller:.3f} would be."
    return (
        f"{n_patients} patients are tested on; {source}. At look {look} of {plan.looks} (alpha {alpha:.4f}) a gain in {spell_metric(metric)} of "
        f'{gain + plan.primary.min_gain:.3f} would be shown with a probability of {POWER:.0%}; a smaller one most likely ends in "can\'t tell".'
        f"{alike}"
    )


def _by_patient(scores: pd.DataFrame, plan: ChangePlan) -> pd.Series:
    chosen = scores if plan.primary.target == ALL_TARGETS else scores[scores["target"] == plan.primary.target]
    by_patient: pd.Series = chosen.groupby("patient_id")[plan.primary.metric].mean().dropna()
    return by_patient
