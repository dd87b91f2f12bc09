"""Every decision and change of champion in the filed document."""

from lesionflow.evaluation.promotion_documents.chapters import to_markdown
from lesionflow.evaluation.promotion_documents.decisions_taken import TakenDecision, decisions_chapter
from support.change_plans import change_plan

PLAN = change_plan()
GATE = TakenDecision(
    "2024-05-06",
    "2",
    "1",
    "by the gate: refused",
    "did not become champion",
    "the gate",
    "Too low.",
    "2 of 20",
    3,
    "c" * 64,
)
HAND = TakenDecision("2024-06-01", "2", "1", "promotion by hand", "became champion", "A. Smith", "the trial needs it")


def test_decisions_are_listed_oldest_first_and_those_by_another_plan_are_counted():
    ours = GATE._replace(at="2024-07-01", change_plan_sha256=PLAN.digest)
    text = to_markdown("Plan", [decisions_chapter(PLAN, [GATE, HAND, ours])])
    assert text.index("2024-05-06") < text.index("2024-06-01") < text.index("2024-07-01")
    assert "1 of them were taken by another state of the change plan" in text
    assert "| refused" not in text
    assert (
        "| by the gate: refused | did not become champion | the gate | 2 of 20 | number 3, cccccccccccc | Too low. |"
        in text
    )
    assert "| promotion by hand | became champion | A. Smith | none spent | not asked | the trial needs it |" in text


def test_a_plan_by_which_nothing_was_decided_says_so():
    assert decisions_chapter(PLAN, []).sentences == ("None yet.",)
