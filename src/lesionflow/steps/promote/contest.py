"""From two bundles to a judgement: admission, scores of both in one pass, the gate, and what the decision keeps of it."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pandas as pd

from lesionflow.config.change_plan import Change, ChangePlan
from lesionflow.data.bundle import Bundle
from lesionflow.data.gate_decision import GateDecision, GateRule, TargetFigure
from lesionflow.data.ledger import LedgerEntry
from lesionflow.evaluation.comparison import MetricDifference
from lesionflow.evaluation.empty_masks import KEYS, comparable
from lesionflow.evaluation.gate import Judgement, Reason, Verdict, judge
from lesionflow.io.stores.registrations import Registration
from lesionflow.metrics import HEADLINE
from lesionflow.steps.promote.admission import (
    Bar,
    change_permitted,
    changes_between,
    not_barred,
    not_learned_from,
    plan_came_first,
    same_meaning,
    trusted,
)
from lesionflow.steps.promote.test_set_scoring import LockedSet, Scored

CHALLENGER, CHAMPION, AUTHORIZED = "challenger", "champion", "first authorized version"


class Spent(NamedTuple):
    """What decisions by a test set have used up: how many looks, and of what they could be wrong by."""

    looks: int
    alpha: float = 0.0


class Contest(NamedTuple):
    """Who stands against whom: bundles by `CHALLENGER`, `CHAMPION` and `AUTHORIZED`, and the version that is champion.

    `missing` says in a sentence why the first authorized version can't be held against, where it should be. `version` is the challenger's,
    `barred` has who may not become champion, `seen` the entry of the ledger by which the challenger was judged or read before there was this change plan.
    """

    bundles: Mapping[str, Bundle]
    champion_version: str | None
    missing: str = ""
    version: str = ""
    barred: Mapping[str, Bar] = {}
    seen: LedgerEntry | None = None


def admit(contest: Contest, plan: ChangePlan, test_set: LockedSet) -> tuple[Reason, ...]:
    """Return what must hold before anything is scored."""
    challenger, champion = contest.bundles[CHALLENGER], contest.bundles.get(CHAMPION)
    reasons = [
        not_barred(contest.version, challenger, contest.barred),
        plan_came_first(contest.version, contest.seen, plan),
    ]
    reasons.append(trusted(CHALLENGER, challenger, plan))
    if champion is not None:
        reasons += [change_permitted(challenger, champion, plan), same_meaning(challenger, champion)]
    named = {CHALLENGER: challenger} | ({CHAMPION: champion} if champion is not None else {})
    reasons += [not_learned_from(name, one, test_set.split.test, test_set.table) for name, one in named.items()]
    return tuple(reasons)


def refuse_unadmitted(reasons: tuple[Reason, ...]) -> Judgement:
    """Return the judgement of a challenger that is not admitted: it is not scored, and no look is spent."""
    return Judgement(Verdict.REFUSED, reasons, promote=False, alpha=0.0, look=0, figures={})


def judge_scored(
    scores: Mapping[str, Scored],
    plan: ChangePlan,
    admitted: tuple[Reason, ...],
    spent: Spent,
    contest: Contest,
    table: pd.DataFrame,
) -> Judgement:
    """Judge what was scored, and put what was asked before in front of the gate's rules.

    Args:
        scores: By `CHALLENGER`, `CHAMPION` and `AUTHORIZED`, as far as there are such.
        plan: The change plan.
        admitted: What held before scoring.
        spent: What decisions by this test set have used up.
        contest: Who stands against whom.
        table: The case table, for groups of patients.
    """
    challenger, champion, authorized = (scores.get(name) for name in (CHALLENGER, CHAMPION, AUTHORIZED))
    if challenger is None:
        raise ValueError("expected the challenger's scores, found none")
    judged = judge(
        challenger.cases,
        None if champion is None else champion.cases,
        plan,
        looks_spent=spent.looks,
        alpha_spent=spent.alpha,
        newer_data=CHAMPION in contest.bundles
        and Change.DATA in changes_between(contest.bundles[CHALLENGER], contest.bundles[CHAMPION]),
        subgroups=table,
        same_test_set=True,
        first_authorized=None if authorized is None else authorized.cases,
        lesions=None if champion is None else (challenger.lesions, champion.lesions),
    )
    reasons = (*admitted, *judged.reasons)
    if contest.missing:
        creep = Reason("no_creep", held=False, detail=contest.missing, figures={}, refuses=True)
        verdict = Verdict.WORSE if judged.verdict is Verdict.WORSE else Verdict.REFUSED
        return judged._replace(verdict=verdict, reasons=(*reasons, creep), promote=False)
    return judged._replace(reasons=reasons)


def decision_of_judgement(
    judged: Judgement,
    plan: ChangePlan,
    registration: Registration,
    contest: Contest,
    test_set: LockedSet,
    scores: Mapping[str, Scored],
    differences: tuple[MetricDifference, ...],
) -> GateDecision:
    """Keep a judgement with all that it was taken by."""
    before = contest.champion_version
    return GateDecision(
        promote=judged.promote,
        verdict=judged.verdict.value,
        sentence=judged.sentence(),
        reasons=tuple(
            GateRule(**{**reason._asdict(), "figures": _finite(reason.figures)}) for reason in judged.reasons
        ),
        model_name=registration.model_name,
        challenger_version=registration.version,
        champion_version_before=before,
        champion_version_after=registration.version if judged.promote else before,
        run_id=registration.run_id,
        bundle_digest=registration.bundle_digest,
        alpha=judged.alpha,
        look=judged.look,
        looks=plan.looks,
        claim=plan.claim,
        change_plan_version=plan.version,
        change_plan_sha256=plan.digest,
        test_set_sha256=test_set.sha256,
        n_test_patients=len(test_set.patients),
        figures=_finite(judged.figures),
        targets=_target_figures(plan, scores),
        scores={name: one.sha256 for name, one in scores.items()},
        against_champion=tuple(_finite(difference._asdict()) for difference in differences),
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def metrics_of(plan: ChangePlan, scores: pd.DataFrame) -> tuple[str, ...]:
    """Return the metrics that are compared metric by metric: those of the plan, then the headline's."""
    return tuple(name for name in dict.fromkeys((*plan.metrics, *HEADLINE)) if name in scores)


def _target_figures(plan: ChangePlan, scores: Mapping[str, Scored]) -> tuple[TargetFigure, ...]:
    challenger, champion = scores.get(CHALLENGER), scores.get(CHAMPION)
    if challenger is None:
        return ()
    ours, theirs = (None if one is None else one.cases.drop_duplicates(KEYS) for one in (challenger, champion))
    found = []
    for target in dict.fromkeys(challenger.cases["target"]):
        for metric in metrics_of(plan, challenger.cases):
            means = [_mean(table, target, metric) for table in (ours, theirs)]
            found.append(TargetFigure(target=str(target), metric=metric, challenger=means[0], champion=means[1]))
    return tuple(found)


def _mean(table: pd.DataFrame | None, target: object, metric: str) -> float | None:
    rows = None if table is None or metric not in table else table[table["target"] == target]
    if rows is None or rows.empty:
        return None
    values = comparable([rows], metric)[0][0]
    mean = float(pd.Series(values.to_numpy(), index=rows.index).groupby(rows["patient_id"]).mean().mean())
    return mean if math.isfinite(mean) else None


def _finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN and no infinity."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in figures.items()}
