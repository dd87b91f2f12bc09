"""The judgement of a challenger: every rule of the change plan, then one verdict."""

import pandas as pd

from lesionflow.config.change_plan import ChangePlan
from lesionflow.evaluation.gate import endpoints, harm, prerequisites
from lesionflow.evaluation.gate.new_misses import Lesions
from lesionflow.evaluation.gate.paired_scores import ScoredPair
from lesionflow.evaluation.gate.targets import TargetsBetween, rows_of, targets_between, targets_permitted
from lesionflow.evaluation.gate.verdict import Judgement, Reason, Verdict
from lesionflow.evaluation.statistics.looks import alpha_left, alpha_of_look, fresh_patients_needed

#: Where one of these is broken there is nothing to compare.
COMPARABLE = {"metrics_scored", "targets_permitted", "same_test_set", "scores_defined"}


def judge(
    challenger: pd.DataFrame,
    champion: pd.DataFrame | None,
    plan: ChangePlan,
    *,
    looks_spent: int,
    alpha_spent: float = 0.0,
    newer_data: bool = False,
    subgroups: pd.DataFrame | None,
    same_test_set: bool,
    first_authorized: pd.DataFrame | None = None,
    lesions: Lesions | None = None,
    seed_limit: float | None = None,
) -> Judgement:
    """Judge whether a challenger becomes champion.

    Means are over patients; a missed tumor or a false alarm has the worst value, never none (`evaluation.empty_masks`). Of targets that the champion
    does not find, where the plan lets them be new, the floors alone decide; all other rules are asked of those that both find.

    Args:
        challenger: A row a case and target: `case_id`, `patient_id`, `target` and metrics, as `evaluation.scoring` makes it.
        champion: The champion's, of the same cases; None where there is none.
        plan: What must be shown.
        looks_spent: How often this test set has decided before.
        alpha_spent: What these decisions could be wrong by, all together and by whatever plan: this look gets no more than is left.
        newer_data: Whether the challenger learned from other data than the champion; without, none enters that is only not worse.
        subgroups: The case table, for the plan's columns; None where no groups are known.
        same_test_set: Whether the challenger was scored on the test set as it now is.
        first_authorized: The table of the version that was first authorized, where that is not the champion.
        lesions: The tables of lesions of challenger and champion; without them large lesions are told by cases.
        seed_limit: How far two trainings lie apart by chance in the primary metric (`SeedNoise.limit`), where it was measured.

    Returns:
        The judgement, with every rule and its figures.
    """
    look = looks_spent + 1
    alpha = alpha_left(look, plan.looks, plan.alpha, alpha_spent)
    between = targets_between(challenger["target"], None if champion is None else champion["target"])
    ours = rows_of(challenger, between.common)
    theirs = None if champion is None else rows_of(champion, between.common)
    reasons = _before_comparing(challenger, champion, plan, between, same_test_set=same_test_set)
    if theirs is None:
        reasons.append(Reason("better_than_champion", held=True, detail="There was no champion to beat.", figures={}))
        return _first(reasons, alpha, look)
    if not all(reason.held for reason in reasons if reason.rule in COMPARABLE):
        return Judgement(Verdict.REFUSED, tuple(reasons), promote=False, alpha=alpha, look=look, figures={})
    pair = ScoredPair(ours, theirs)
    primary = endpoints.measure_primary(pair, plan, alpha)
    reasons += [_budget(primary, plan, alpha, look, alpha_spent), endpoints.better(primary, plan, alpha)]
    reasons += [*endpoints.not_worse(pair, plan), *endpoints.no_target_worse(pair, plan)]
    reasons += harm.spared_groups(pair, plan, subgroups)
    # A lesion of a target that only one finds is neither newly missed nor newly found.
    of_both = None if lesions is None else (rows_of(lesions[0], between.common), rows_of(lesions[1], between.common))
    reasons += harm.safe(pair, plan, of_both, subgroups)
    if first_authorized is not None:
        then = rows_of(challenger, first_authorized["target"].unique())
        reasons += endpoints.no_creep(ScoredPair(then, first_authorized), plan)
    if seed_limit is not None:
        reasons.append(endpoints.beyond_seeds(primary, plan, seed_limit))
    verdict = _verdict(primary, reasons)
    promote = verdict is Verdict.SUPERIOR
    if verdict is Verdict.NON_INFERIOR and plan.noninferior_may_enter:
        reasons.append(prerequisites.learned_from_newer_data(newer_data=newer_data))
        promote = newer_data
    return Judgement(verdict, tuple(reasons), promote, alpha, look, _figures(primary))


def _figures(primary: endpoints.Primary) -> dict[str, float]:
    return {
        "gain": primary.gain,
        "gain_low": primary.low,
        "gain_high": primary.high,
        "p": primary.p,
        "n_patients": float(len(primary.gains)),
    }


def _before_comparing(
    challenger: pd.DataFrame,
    champion: pd.DataFrame | None,
    plan: ChangePlan,
    between: TargetsBetween,
    *,
    same_test_set: bool,
) -> list[Reason]:
    """Say what must hold of the tables before they are compared, and of the challenger alone."""
    ours = rows_of(challenger, between.common)
    theirs = None if champion is None else rows_of(champion, between.common)
    reasons = [
        prerequisites.metrics_scored(challenger, champion, plan),
        *targets_permitted(between, plan),
        prerequisites.compared_alike(ours, theirs, same_test_set=same_test_set),
    ]
    if all(reason.held for reason in reasons):
        reasons += [
            prerequisites.scores_defined(ours, theirs, plan.primary.metric),
            prerequisites.enough_patients(ours, plan),
            *prerequisites.floors(challenger, plan, is_first=champion is None, new_targets=between.new),
        ]
    return reasons


def _first(reasons: list[Reason], alpha: float, look: int) -> Judgement:
    broken = [reason for reason in reasons if not reason.held]
    verdict = Verdict.FIRST
    if broken:
        verdict = Verdict.REFUSED if any(reason.refuses for reason in broken) else Verdict.CANT_TELL
    return Judgement(verdict, tuple(reasons), verdict is Verdict.FIRST, alpha, look, {})


def _verdict(primary: endpoints.Primary, reasons: list[Reason]) -> Verdict:
    if primary.worse:
        return Verdict.WORSE
    broken = [reason for reason in reasons if not reason.held]
    if any(reason.refuses for reason in broken):
        return Verdict.REFUSED
    if not broken:
        return Verdict.SUPERIOR
    gain_alone = {"better_than_champion", "beyond_seeds"}
    if primary.noninferior and all(reason.rule in gain_alone for reason in broken):
        return Verdict.NON_INFERIOR
    return Verdict.CANT_TELL


def _budget(primary: endpoints.Primary, plan: ChangePlan, alpha: float, look: int, alpha_spent: float) -> Reason:
    figures = {"look": float(look), "looks": float(plan.looks), "alpha": alpha, "alpha_spent": alpha_spent}
    if alpha:
        detail = f"Look {look} of {plan.looks} at this test set, which may be wrong by {alpha:.2g} of {plan.alpha:g}."
        if alpha < alpha_of_look(look, plan.looks, plan.alpha):
            detail += f" That is what decisions before it have left: they have spent {alpha_spent:.2g}, also by other change plans."
        return Reason("look_budget", held=True, detail=detail, figures=figures)
    fresh = fresh_patients_needed(len(primary.gains), plan.min_test_patients, alpha_of_look(1, plan.looks, plan.alpha))
    spent = f"All {plan.looks} looks at this test set are spent"
    if look <= plan.looks:
        spent = (
            f"Decisions by this test set have spent {alpha_spent:.2g}, and the change plan has {plan.alpha:g} for all of them: raising `looks` or `alpha` "
            "gives back nothing that is spent"
        )
    detail = (
        f"{spent}: models have been chosen by it, and it can't judge another. "
        f"{fresh} test patients whom no decision has seen restore the budget."
    )
    return Reason("look_budget", held=False, detail=detail, figures={**figures, "fresh_patients": float(fresh)})
