"""What a challenger must show: a gain in the primary endpoint, and no loss beyond its margin in any other.

All of them must hold, so that none needs a share of alpha (intersection-union: Berger 1982, DOI 10.1080/00401706.1982.10487790). The primary gain is tested
at what the look may spend; losses at the plan's own alpha, since a look that is wrong of them lets nobody in who shows no gain.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.config.change_plan import ChangePlan
from lesionflow.evaluation.empty_masks import KEYS
from lesionflow.evaluation.gate.paired_scores import ALL, ScoredPair, gains_by_patient, targets_of
from lesionflow.evaluation.gate.verdict import Reason, some_of
from lesionflow.evaluation.gate.wording import at_level, better_or_worse, in_digits, told_apart
from lesionflow.evaluation.statistics.sign_flip import one_sided_p, smallest_p, upper_bound
from lesionflow.evaluation.statistics.skewness import claim_bound, claim_p
from lesionflow.metrics import METRICS
from lesionflow.metrics.display_names import head_of, spell_metric


class Primary(NamedTuple):
    """The primary endpoint: what was seen, and what it shows."""

    gains: NDArray[np.float64]
    gain: float
    low: float
    high: float
    p: float
    superior: bool
    worse: bool
    noninferior: bool


def measure_primary(pair: ScoredPair, plan: ChangePlan, alpha: float) -> Primary:
    """Measure the gain in the primary endpoint.

    Args:
        pair: Both tables.
        plan: Which endpoint, what gain, which margin.
        alpha: Of this look; 0 where none is left: then nothing can be shown, and the interval is that of the plan's alpha.
    """
    gains = gains_by_patient(pair, plan.primary.metric, plan.primary.target)
    p = claim_p(gains, plan.primary.min_gain)
    of_interval = alpha or plan.alpha
    margins = [
        entry.margin
        for entry in plan.noninferiority
        if entry.metric == plan.primary.metric and entry.target in (ALL, plan.primary.target)
    ]
    return Primary(
        gains,
        float(gains.mean()) if len(gains) else math.nan,
        claim_bound(gains, of_interval),
        upper_bound(gains, of_interval),
        p,
        superior=bool(p <= alpha),
        worse=bool(one_sided_p(-gains) <= plan.alpha),
        noninferior=bool(margins) and bool(claim_p(gains, -min(margins, default=0.0)) <= alpha),
    )


def better(primary: Primary, plan: ChangePlan, alpha: float) -> Reason:
    """Say whether the primary gain is shown."""
    n, metric = len(primary.gains), plan.primary.metric
    over = f"more than {plan.primary.min_gain:g}{_unit(metric)}" if plan.primary.min_gain else "better at all"
    shown = f"Mean gain in {_named(metric, plan.primary.target)} {_gain(primary.gain, metric)} over {n} patients, "
    if primary.worse:
        p, needed = told_apart(one_sided_p(-primary.gains), plan.alpha, 2, bound_digits=2)
        shown += f"a loss that chance does not explain: p = {p} that it is none, and {needed} suffices to show one, at any look."
    elif smallest_p(n) > alpha:
        shown += f"p = {in_digits(primary.p)}; {n} patients can't show a gain at the {alpha:.2g} that this look may be wrong by, were all of them better."
    else:
        p, needed = told_apart(primary.p, alpha, 2, bound_digits=2)
        proof = (
            f"is shown: p = {p}, and {needed} suffices."
            if primary.superior
            else f"is not shown: p = {p}, and at most {needed} is needed."
        )
        low = _beside(primary.low, plan.primary.min_gain, metric)
        shown += f"at least {low} {at_level(alpha or plan.alpha)}; that it is {over} {proof}"
    figures = {
        "gain": primary.gain,
        "gain_low": primary.low,
        "gain_high": primary.high,
        "p": primary.p,
        "min_gain": plan.primary.min_gain,
    }
    return Reason("better_than_champion", primary.superior, shown, figures, refuses=primary.worse)


def not_worse(pair: ScoredPair, plan: ChangePlan) -> list[Reason]:
    """Say of each target and metric that the plan watches, of those that both find, whether a loss beyond its margin is ruled out."""
    both = targets_of(pair.challenger, ALL)
    return [
        _within(f"not_worse:{target}:{entry.metric}", gains_by_patient(pair, entry.metric, target), entry.metric, target, entry.margin, plan.alpha)
        for entry in plan.noninferiority
        for target in targets_of(pair.challenger, entry.target)
        if target in both
    ]  # fmt: skip


def no_target_worse(pair: ScoredPair, plan: ChangePlan) -> list[Reason]:
    """Refuse a gain of one target that another pays for: none may be shown to be worse in the primary metric, watched by the plan or not."""
    reasons = []
    for target in targets_of(pair.challenger, ALL):
        gains = gains_by_patient(pair, plan.primary.metric, target)
        worse = bool(len(gains)) and one_sided_p(-gains) <= plan.alpha
        mean = float(gains.mean()) if len(gains) else math.nan
        detail = f"{head_of(_named(plan.primary.metric, target))}: {_compared(mean, 0.0, plan.primary.metric, 'the champion')}, {'shown' if worse else 'not shown'} to be a loss."
        reasons.append(Reason(f"no_loss:{target}", not worse, detail, {"gain": mean}, refuses=True))
    return reasons


def no_creep(challenger: ScoredPair, plan: ChangePlan) -> list[Reason]:
    """Say whether a loss beyond the margin is ruled out against the version that was first authorized.

    Args:
        challenger: The challenger's table, and that version's.
        plan: The primary endpoint and the margin.
    """
    metric = plan.primary.metric
    cases = [
        set(table[KEYS].itertuples(index=False, name=None)) for table in (challenger.challenger, challenger.champion)
    ]
    if odd := sorted({str(case_id) for case_id, _ in cases[0] ^ cases[1]}):
        detail = f"Scored for the challenger or the first authorized version only: {some_of(odd)}. Score both on the same cases."
        return [Reason("no_creep", held=False, detail=detail, figures={"n_unpaired": float(len(odd))}, refuses=True)]
    both = targets_of(challenger.challenger, ALL)
    if plan.primary.target not in (ALL, *both):
        detail = f"The first authorized version does not find {plan.primary.target}: there is nothing to fall behind."
        return [Reason("no_creep", held=True, detail=detail, figures={})]
    return [
        _within(f"no_creep:{target}", gains_by_patient(challenger, metric, target), metric, target, plan.creep_margin, plan.alpha)
        for target in targets_of(challenger.challenger, plan.primary.target)
    ]  # fmt: skip


def beyond_seeds(primary: Primary, plan: ChangePlan, limit: float) -> Reason:
    """Say whether the gain is more than another seed alone would give.

    Args:
        primary: What was measured.
        plan: The primary endpoint.
        limit: How far two trainings lie apart by chance.
    """
    held, metric = primary.gain > limit, plan.primary.metric
    gain, apart = told_apart(primary.gain, limit, bound_digits=3, sign="+")
    detail = (
        f"Two trainings that differ in nothing but their seed lie up to {apart}{_unit(metric)} apart; the gain is "
        f"{gain}{_unit(metric)}, {'more' if held else 'not more'} than that."
    )
    return Reason("beyond_seeds", held, detail, {"gain": primary.gain, "seed_limit": limit})


def _within(rule: str, gains: NDArray[np.float64], metric: str, target: str, margin: float, alpha: float) -> Reason:
    other = "the first authorized version" if rule.startswith("no_creep") else "the champion"
    what = head_of(_named(metric, target))
    if not len(gains):
        return Reason(rule, held=True, detail=f"{what}: no patient has it under either model.", figures={})
    mean, low, high = float(gains.mean()), claim_bound(gains, alpha), upper_bound(gains, alpha)
    figures = {"gain": mean, "gain_low": low, "gain_high": high, "margin": margin}
    lost = high < -margin or (mean < -margin and high < 0.0)
    if smallest_p(len(gains)) > alpha:
        held = mean >= -margin
        detail = (
            f"{what}: {_compared(mean, -margin, metric, other)} in {len(gains)} patients who have it, too few to show more; a loss of "
            f"{margin:g}{_unit(metric)} is allowed."
        )
        return Reason(rule, held, detail, figures, refuses=True)
    held = claim_p(gains, -margin) <= alpha
    shown = "is ruled out" if held else "is shown" if lost else "is not ruled out"
    detail = (
        f"{what}: {_compared(mean, -margin, metric, other)}, {at_level(alpha)} {_at_worst(low, -margin, metric)}; "
        f"a loss of more than {margin:g}{_unit(metric)} {shown}."
    )
    return Reason(rule, held, detail, figures, refuses=lost)


def _named(metric: str, target: str) -> str:
    return f"{spell_metric(metric)} of {'all targets' if target == ALL else target}"


def _gain(value: float, metric: str) -> str:
    return f"{in_digits(value, sign='+')}{_unit(metric)}"


def _beside(value: float, bound: float, metric: str) -> str:
    return f"{told_apart(value, bound, sign='+')[0]}{_unit(metric)}"


def _than(gain: float, bound: float, metric: str) -> str:
    return better_or_worse(gain, bound, METRICS[metric].unit)


def _compared(gain: float, bound: float, metric: str, other: str) -> str:
    return f"as good as {other}" if gain == 0.0 else f"{_than(gain, bound, metric)} than {other}"


def _at_worst(low: float, bound: float, metric: str) -> str:
    return "no worse" if low == 0.0 else f"{_than(low, bound, metric)} at {'least' if low > 0.0 else 'most'}"


def _unit(metric: str) -> str:
    unit = METRICS[metric].unit
    return f" {unit}" if unit else ""
