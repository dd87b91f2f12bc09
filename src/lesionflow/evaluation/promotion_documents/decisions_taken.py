"""What was decided of a model's champions, by the gate and by people, as a chapter of the change plan's document."""

from collections.abc import Sequence
from typing import NamedTuple

from lesionflow.config.change_plan import ChangePlan
from lesionflow.evaluation.promotion_documents.chapters import Chapter

TITLE = "Decisions taken"
HEADS = ("when", "version", "champion before", "decision", "what became of it", "by", "look", "change plan", "why")


class TakenDecision(NamedTuple):
    """One line of the ledger that decides who is or may be champion.

    `by` is a person's name, or who else it was. `look` and the change plan are empty where it was not the gate.
    """

    at: str
    version: str
    before: str
    decision: str
    outcome: str
    by: str
    why: str
    look: str = ""
    change_plan_version: int | None = None
    change_plan_sha256: str = ""


def decisions_chapter(plan: ChangePlan, taken: Sequence[TakenDecision]) -> Chapter:
    """List every decision, change of champion and override.

    Args:
        plan: The change plan as it is now: decisions by another state of it are counted.
        taken: The oldest first.
    """
    if not taken:
        return Chapter(TITLE, ("None yet.",))
    others = sum(one.change_plan_sha256 not in {"", plan.digest} for one in taken)
    sentences = ["Oldest first, as the ledger has them: by the gate and by hand, rollbacks, bars and what lifted them."]
    if others:
        sentences.append(
            f"{others} of them were taken by another state of the change plan than the one above: see their digests."
        )
    rows = [
        (
            one.at,
            one.version,
            one.before or "none",
            one.decision,
            one.outcome,
            one.by,
            one.look or "none spent",
            f"number {one.change_plan_version}, {one.change_plan_sha256:.12}"
            if one.change_plan_sha256
            else "not asked",
            one.why,
        )
        for one in taken
    ]
    return Chapter(TITLE, sentences, heads=HEADS, rows=rows)
