"""What no gain of a mean pays for: groups of patients who lose, known or not, new misses of large lesions, and masks that are lost.

A mean of +0.05 hides a quarter of patients at -0.15, and one Dice of 0 among forty costs a mean no more than 0.02.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionflow.config.change_plan import ChangePlan
from lesionflow.evaluation.gate.new_misses import Lesions, no_new_misses
from lesionflow.evaluation.gate.paired_scores import ALL, ScoredPair, gains_by_case, patient_means
from lesionflow.evaluation.gate.verdict import Reason, some_of
from lesionflow.evaluation.gate.wording import at_level, better_or_worse, told_apart
from lesionflow.evaluation.statistics.rates import clopper_pearson, rate_upper_bound
from lesionflow.evaluation.subgroups import groups_of
from lesionflow.metrics import METRICS
from lesionflow.metrics.display_names import spell_metric

#: The part of patients that lose most is looked at, whoever they are.
WORST_SHARE = 0.25
#: How many margins they may lose: where scatter makes them, and at most.
SCATTER, MOST_SCATTER = 2.0, 3.0
#: From this p on gains count as scattered alike to both sides; patterns that are drawn for it.
LOPSIDED, N_FLIPS, SEED = 0.2, 999, 12


def spared_groups(pair: ScoredPair, plan: ChangePlan, subgroups: pd.DataFrame | None) -> list[Reason]:
    """Say whether any group of patients loses, the declared ones and the quarter that loses most.

    Args:
        pair: Both tables.
        plan: Columns, margin, and from how many patients on a group is judged by itself.
        subgroups: The case table; None where no groups are known.
    """
    gains = gains_by_case(pair, plan.primary.metric, plan.primary.target)
    means = patient_means(gains)
    reasons = [
        hidden_group(
            means.to_numpy(dtype=float), plan.subgroups.margin, plan.primary.metric, _cases_by_loss(gains, means)
        )
    ]
    if subgroups is None:
        return reasons
    overall = float(means.mean())
    for column in plan.subgroups.columns:
        if column not in subgroups:
            continue
        groups = groups_of(subgroups.set_index("case_id")[column], column)
        named = gains["case_id"].map(groups[~groups.index.duplicated()])
        reasons += [
            _spared(f"{column} {group}", patient_means(gains[named == group]), overall, plan)
            for group in sorted(named.dropna().unique())
        ]
    return reasons


def hidden_group(gains: NDArray[np.float64], margin: float, metric: str, cases: Sequence[str] = ()) -> Reason:
    """Say whether the quarter of patients that loses most, whoever they are, loses more than may be.

    Who loses most is chosen after the fact, so that scatter alone makes such a quarter: twice the margin is allowed. Beyond that the rule holds where
    the quarter that gains most lies as far above the middle, as scatter has it, and to three times the margin at most: beyond, so
    much scatter hides a group that fails.

    Args:
        gains: (patient,) paired gains in the primary metric.
        margin: What a group may lose, in the metric's unit.
        metric: The primary metric.
        cases: A name a patient, who loses most first, to be told.
    """
    n_worst = max(1, round(WORST_SHARE * len(gains)))
    worst = float(np.sort(gains)[:n_worst].mean()) if len(gains) else 0.0
    figures = {"worst_quarter": worst, "margin": margin}
    allowed, most = SCATTER * margin, MOST_SCATTER * margin
    unit = f" {METRICS[metric].unit}" if METRICS[metric].unit else ""
    lost = max((told_apart(-worst, bound)[0] for bound in (allowed, most)), key=len)
    changed = f"lose {lost}{unit}" if worst < 0.0 else f"gain {lost.lstrip('-')}{unit}"
    named = f" ({some_of(cases[:n_worst])})" if cases else ""
    detail = (
        f"The quarter of patients who fare worst against the champion, {n_worst} of {len(gains)}{named}, {changed} in {spell_metric(metric)} on average. "
        f"As they are picked for it, chance alone makes some loss: {allowed:g}{unit} is allowed, twice what a known group may lose."
    )
    if -worst <= allowed:
        return Reason("no_hidden_group", held=True, detail=detail, figures=figures)
    p = asymmetry_p(gains, n_worst)
    lopsided = p <= LOPSIDED
    held = not lopsided and -worst <= most
    if lopsided:
        why = (
            "They lie further below the middle patient than the quarter who fare best lies above it, so chance does not explain it: a group of patients "
            "is served worse."
        )
    elif held:
        why = (
            "They lose more, but the quarter who fare best lies as far above the middle patient as they lie below it, as chance has it; so up to "
            f"{most:g}{unit} is let pass."
        )
    else:
        why = (
            "The quarter who fare best lies about as far above the middle patient as they lie below it: all may lose alike, or scatter by chance, or a "
            f"group among them is served worse, and which it is can't be told. Beyond {most:g}{unit} it is not let pass."
        )
    return Reason("no_hidden_group", held, f"{detail} {why}", {**figures, "p_scatter": p}, refuses=lopsided)


def _cases_by_loss(gains: pd.DataFrame, means: pd.Series) -> list[str]:
    """Return a case of each patient, who loses most first."""
    # The first of each patient wins; a table of groups would cost a simulation of the gate dear.
    first = dict(zip(gains["patient_id"][::-1], gains["case_id"][::-1], strict=True))
    return [str(first[means.index[place]]) for place in np.argsort(means.to_numpy(), kind="stable")]


def asymmetry_p(gains: NDArray[np.float64], n_worst: int) -> float:
    """Return how often gains that scatter alike to both sides of their median have a lower end as far out, against their upper end."""
    around = gains - np.median(gains)
    signs = np.random.default_rng(SEED).choice((-1.0, 1.0), (N_FLIPS, len(gains)))
    flipped = np.sort(signs * around, axis=1)
    ends = (
        flipped[:, :n_worst].sum(axis=1) + flipped[:, -n_worst:].sum(axis=1) - 2 * n_worst * np.median(flipped, axis=1)
    )
    seen = np.sort(around)
    return float(1 + np.count_nonzero(ends <= seen[:n_worst].sum() + seen[-n_worst:].sum())) / (1 + N_FLIPS)


def safe(
    pair: ScoredPair, plan: ChangePlan, lesions: Lesions | None, subgroups: pd.DataFrame | None = None
) -> list[Reason]:
    """Say whether large lesions are newly missed, in all or in a declared group, and whether masks are lost.

    Args:
        pair: Both tables.
        plan: Which lesions are large, which fall is catastrophic, how many may be.
        lesions: The tables of lesions of both.
        subgroups: The case table; None where no groups are known.
    """
    return [*no_new_misses(pair, plan, lesions, subgroups), _catastrophes(pair, plan)]


def _spared(name: str, gains: pd.Series, overall: float, plan: ChangePlan) -> Reason:
    n_patients, margin = len(gains), plan.subgroups.margin
    weight = min(1.0, n_patients / plan.subgroups.min_patients)
    mean = weight * float(gains.mean()) + (1.0 - weight) * overall
    pulled = (
        ""
        if weight == 1.0
        else f" (drawn towards the mean of all, as fewer than {plan.subgroups.min_patients} say little by themselves)"
    )
    metric = plan.primary.metric
    changed = better_or_worse(mean, -margin, METRICS[metric].unit)
    detail = f"{n_patients} patients with {name}: {changed} in {spell_metric(metric)} than by the champion{pulled}; a loss of {margin:g} is allowed."
    figures = {"gain": mean, "n_patients": float(n_patients), "margin": margin}
    return Reason(f"group:{name}", mean >= -margin, detail, figures, refuses=True)


def _catastrophes(pair: ScoredPair, plan: ChangePlan) -> Reason:
    safety = plan.safety
    gains = gains_by_case(pair, "dice", ALL)
    lost = gains[gains["gain"] < -safety.catastrophic_fall]
    n_patients, n_lost = int(gains["patient_id"].nunique()), int(lost["patient_id"].nunique())
    high = rate_upper_bound(n_lost, n_patients, plan.alpha)
    low = clopper_pearson(n_lost, n_patients, 1.0 - 2.0 * plan.alpha)[0] if n_patients else 0.0
    named = f" ({some_of(sorted(lost['case_id'].astype(str).unique()))})" if n_lost else ""
    most, allowed = told_apart(high, safety.max_catastrophic_fraction, 2)
    detail = (
        f"Dice falls by more than {safety.catastrophic_fall:g} in {n_lost} of {n_patients} patients{named}: at most {most} of all {at_level(plan.alpha)}, and "
        f"{allowed} are allowed."
    )
    held = high <= safety.max_catastrophic_fraction
    if not held and not n_lost:
        held, detail = True, f"{detail} Nobody was lost, and so few patients can't show more."
    figures = {"n_lost": float(n_lost), "lost_low": low, "lost_high": high}
    return Reason(
        "no_lost_masks", held, detail, figures, refuses=n_lost > safety.max_catastrophic_fraction * n_patients
    )
