"""A challenger that finds other targets than the champion: what both find is compared, what is new is held by its floors alone."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

import pandas as pd

from lesionflow.config.change_plan import Change, ChangePlan
from lesionflow.evaluation.gate.paired_scores import ALL
from lesionflow.evaluation.gate.verdict import Reason, some_of


class TargetsBetween(NamedTuple):
    """The targets that two models both find, those that only the challenger finds, and those that only the other one does."""

    common: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]


def targets_between(challenger: Iterable[str], other: Iterable[str] | None) -> TargetsBetween:
    """Tell the targets of two models apart, each in its own order; without another model nothing is new.

    Args:
        challenger: What it finds.
        other: What the champion finds; None where there is none.
    """
    ours = tuple(dict.fromkeys(map(str, challenger)))
    if other is None:
        return TargetsBetween(ours, (), ())
    theirs = tuple(dict.fromkeys(map(str, other)))
    return TargetsBetween(
        tuple(name for name in ours if name in theirs),
        tuple(name for name in ours if name not in theirs),
        tuple(name for name in theirs if name not in ours),
    )


def rows_of(table: pd.DataFrame, targets: Collection[str]) -> pd.DataFrame:
    """Return the rows of some targets, of a table of cases or of lesions; the table itself where it has no others."""
    kept = table["target"].isin(targets)
    return table if kept.all() else table[kept]


def targets_permitted(between: TargetsBetween, plan: ChangePlan) -> list[Reason]:
    """Say whether a challenger may find other targets than the champion; nothing where they find the same.

    One that is new needs leave of the plan and a floor, as nothing else is held against it. One that is gone is always refused: who asks for it
    would get nothing, and no gain elsewhere pays for that.

    Args:
        between: The targets of both.
        plan: What may change, the floors, the primary endpoint.
    """
    if not between.new and not between.gone:
        return []
    named = some_of(between.new)
    unheld = [name for name in between.new if not any(floor.target in (ALL, name) for floor in plan.floors)]
    if not between.common:
        detail = "Challenger and champion have no target in common: none can be judged against the other."
    elif between.gone:
        detail = f"The challenger does not find {some_of(between.gone)}, which the champion finds. Train it with all targets of the champion."
    elif Change.TARGETS not in plan.what_may_change:
        detail = f"The challenger also finds {named}, which the champion does not; the change plan does not let targets change (`what_may_change`)."
    elif unheld:
        detail = f"The champion does not find {some_of(unheld)}, and the change plan has no floor for it: nothing would be held against it. Add one."
    elif plan.primary.target in between.new:
        detail = f"The primary endpoint is of {plan.primary.target}, which the champion does not find. Name a target that both find."
    else:
        detail = f"New: {named}, held by its floors alone as the champion does not find it; compared: {some_of(between.common)}."
        return [_reason(between, detail, held=True)]
    return [_reason(between, detail, held=False)]


def _reason(between: TargetsBetween, detail: str, *, held: bool) -> Reason:
    figures = {
        "n_common": float(len(between.common)),
        "n_new": float(len(between.new)),
        "n_gone": float(len(between.gone)),
    }
    return Reason("targets_permitted", held, detail, figures, refuses=True)
