"""What a challenger must hold by itself: scores that may be compared, enough patients, and the floors."""

import math
from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionflow.config.change_plan import ChangePlan, Floor
from lesionflow.evaluation.empty_masks import KEYS, NEITHER, comparable, outcomes
from lesionflow.evaluation.gate.paired_scores import ALL, targets_of
from lesionflow.evaluation.gate.verdict import Reason, some_of
from lesionflow.evaluation.gate.wording import at_level, told_apart
from lesionflow.evaluation.statistics.bounded import mean_lower_bound
from lesionflow.evaluation.statistics.sign_flip import lower_bound
from lesionflow.metrics import METRICS
from lesionflow.metrics.display_names import spell_metric


def metrics_scored(challenger: pd.DataFrame, champion: pd.DataFrame | None, plan: ChangePlan) -> Reason:
    """Refuse tables that lack a metric which the plan names, and a challenger that lacks a target; `gate.targets` says what the champion lacks."""
    tables = [challenger] if champion is None else [challenger, champion]
    lacking = [name for name in plan.metrics if any(name not in table for table in tables)]
    watched = {entry.target for entry in plan.noninferiority} | {floor.target for floor in plan.floors}
    named = ({plan.primary.target} | watched) - {ALL}
    lacking += sorted(name for name in named if not (challenger["target"] == name).any())
    detail = "Everything that the change plan names was scored."
    if lacking:
        detail = f"Not scored: {some_of(lacking)}, which the change plan names. Score both models with this version, or correct the plan."
    return Reason("metrics_scored", not lacking, detail, {"n_lacking": float(len(lacking))}, refuses=True)


def compared_alike(challenger: pd.DataFrame, champion: pd.DataFrame | None, *, same_test_set: bool) -> Reason:
    """Refuse scores of another test set than the present one, or of other cases than the champion's."""
    ours = list(challenger[KEYS].itertuples(index=False, name=None))
    theirs = ours if champion is None else list(champion[KEYS].itertuples(index=False, name=None))
    odd = set(ours) ^ set(theirs)
    twice = len(ours) - len(set(ours)) + len(theirs) - len(set(theirs))
    if not same_test_set:
        detail = "The challenger was scored on another test set than the present one. Run evaluate again."
    elif odd:
        named = some_of(sorted({str(case_id) for case_id, _ in odd}))
        detail = f"Scored for one model only: {named}. Both must be scored on the same cases and targets."
    elif twice:
        detail = f"{twice} cases are scored twice."
    else:
        detail = f"Scored on the same {len(ours)} cases and targets."
    held = same_test_set and not odd and not twice
    return Reason(
        "same_test_set", held, detail, {"n_scores": float(len(ours)), "n_unpaired": float(len(odd))}, refuses=True
    )


def scores_defined(challenger: pd.DataFrame, champion: pd.DataFrame | None, metric: str) -> Reason:
    """Refuse a primary metric that is undefined for one model, or for one alone where there was something to find."""
    models = [table.drop_duplicates(KEYS) for table in (challenger, champion) if table is not None]
    values, _ = comparable(models, metric)
    missing = values.isna().to_numpy()
    nothing_to_find = (outcomes(models[0]) == NEITHER).to_numpy()
    undefined = missing[:, 0] & ~nothing_to_find if champion is None else missing[:, 0] != missing[:, 1]
    cases = sorted(models[0].loc[undefined, "case_id"].astype(str))
    detail = "Every score is a number, or undefined for both."
    if cases:
        detail = f"Undefined for one model: {some_of(cases)}. Choose a metric that is defined for every case."
    return Reason("scores_defined", not cases, detail, {"n_undefined": float(len(cases))}, refuses=True)


def learned_from_newer_data(*, newer_data: bool) -> Reason:
    """Say whether a challenger that is only not worse learned from other data than the champion: else it brings nothing."""
    detail = "It learned from other data than the champion, for which the change plan lets in who is not worse (`noninferior_may_enter`)."
    if not newer_data:
        detail = "It learned from the same data as the champion: `noninferior_may_enter` lets in who is not worse for newer data alone, and it brings none."
    return Reason("learned_from_newer_data", newer_data, detail, {})


def enough_patients(challenger: pd.DataFrame, plan: ChangePlan) -> Reason:
    """Say whether the test set has the patients that the plan asks for; none at all are refused."""
    rows = challenger.drop_duplicates(KEYS)
    scored, _ = comparable([rows], plan.primary.metric)
    n_patients = int(rows.loc[scored[0].notna().to_numpy(), "patient_id"].nunique())
    detail = f"{n_patients} patients with a score; at least {plan.min_test_patients} are needed."
    if not plan.claim:
        detail += " The change plan makes no claim: a demonstration, not evidence."
    held = n_patients >= plan.min_test_patients
    return Reason("enough_patients", held, detail, {"n_patients": float(n_patients)}, refuses=not n_patients)


def floors(
    challenger: pd.DataFrame, plan: ChangePlan, *, is_first: bool, new_targets: Collection[str] = ()
) -> list[Reason]:
    """Say of each floor whether it is reached.

    By the mean over patients; by the first champion, and in targets that no champion had, where the plan makes a claim, also by the lower bound of
    that mean, since nothing else was ever held against it. Without a claim few patients can't give a bound: there at least half of them must reach
    the floor.
    """
    return [
        _floor(challenger, floor, target, plan, is_first=is_first or target in new_targets)
        for floor in plan.floors
        for target in targets_of(challenger, floor.target)
    ]


def _floor(challenger: pd.DataFrame, floor: Floor, target: str, plan: ChangePlan, *, is_first: bool) -> Reason:
    rule, metric = f"floor:{target}:{floor.metric}", METRICS[floor.metric]
    scores = _by_patient(challenger, floor.metric, target)
    bound_word = "at least" if metric.direction > 0 else "at most"
    unit = f" {metric.unit}" if metric.unit else ""
    if not len(scores):
        return Reason(
            rule,
            held=False,
            detail=f"Nobody has a {spell_metric(floor.metric)} of {target}; {bound_word} {floor.min_score:g}{unit} is needed.",
            figures={},
            refuses=True,
        )
    mean, bound = float(scores.mean()), _lower(metric.direction * scores, plan.alpha, floor.metric)
    reached = metric.direction * (scores - floor.min_score) >= 0.0
    figures = {"score": mean, "score_bound": metric.direction * bound, "min_score": floor.min_score}
    detail = f"Mean {spell_metric(floor.metric)} of {target} {told_apart(mean, floor.min_score, 4)[0]}{unit} over {len(scores)} patients; {bound_word} {floor.min_score:g}{unit} is needed."
    held = metric.direction * mean >= metric.direction * floor.min_score
    if not held or not is_first:
        return Reason(rule, bool(held), detail, figures, refuses=True)
    if plan.claim:
        held = bound >= metric.direction * floor.min_score
        low = told_apart(metric.direction * bound, floor.min_score)[0]
        known = f"{bound_word} {low}{unit} {at_level(plan.alpha)}" if math.isfinite(bound) else "without a bound"
        detail += f" So few patients know it as {known}: {'it is reached' if held else 'they can not tell whether it is reached'}."
        return Reason(rule, bool(held), detail, figures)
    held = float(reached.mean()) >= 0.5
    detail += f" {int(reached.sum())} of {len(scores)} patients reach it, of whom half must; so few can not tell what others would show."
    return Reason(rule, bool(held), detail, figures, refuses=True)


def _by_patient(scores: pd.DataFrame, metric: str, target: str) -> NDArray[np.float64]:
    rows = scores[scores["target"] == target].drop_duplicates(KEYS)
    if not len(rows):
        return np.empty(0)
    found, _ = comparable([rows], metric)
    values = pd.Series(found[0].to_numpy(dtype=float), index=rows.index)
    return values.groupby(rows["patient_id"]).mean().dropna().to_numpy(dtype=float)


def _lower(scores: NDArray[np.float64], alpha: float, metric: str) -> float:
    """Bound the mean of scores that point upwards: where the metric has bounds by them, else by sign flips."""
    entry = METRICS[metric]
    least = entry.lower if entry.direction > 0 else -entry.upper
    return mean_lower_bound(scores, alpha, least) if math.isfinite(least) else lower_bound(scores, alpha)
