"""The change plan as a document: every value of the plan stands in it, and every decision."""

import re

from lesionflow.evaluation.promotion_documents.change_plan_document import (
    Surroundings,
    describe_plan,
    document_chapters,
)
from lesionflow.evaluation.promotion_documents.chapters import to_html, to_markdown
from support.change_plans import change_plan

ABOUT = Surroundings("lesionflow-knees", "knees", ("bone", "tumor"), 16, "e" * 64, "2", "1", 3)
PLAN = change_plan(
    version=7,
    primary={"metric": "dice", "target": "tumor", "min_gain": 0.0123},
    noninferiority=[{"metric": "absolute_volume_error_ml", "target": "tumor", "margin": 4.5}],
    floors=[{"metric": "hd95_mm", "target": "all", "min_score": 31.5}],
    may_override=["R. Knee"],
    creep_margin=0.017,
)


def test_every_value_of_the_plan_is_said_with_its_unit():
    text = to_markdown("Plan", describe_plan(PLAN, ABOUT))
    for said in (
        "change plan number 7",
        PLAN.digest,
        "| Dice of tumor | shown to be better than the champion's by more than 0.0123 |",
        "| Absolute volume error of tumor | a loss of more than 4.5 ml against the champion is ruled out |",
        "| HD95 of each target | each champion: mean of at most 31.5 mm |",
        "At least 8 test patients",
        "with a probability of 0.025",
        "Spent so far: 3.",
        "does not become champion.",
        "are allowed.",
        "R. Knee",
        "lesions of 10 ml and more",
        "Dice falls by more than 0.3",
        "at most 0.1 of patients",
        "groups by sex, each by itself from 10 patients on",
        "a loss of at most 0.05",
        "version 1 too",
        "a loss of at most 0.017",
        "16 patients, sha256 eeeeeeeeeeee",
    ):
        assert said in text, said
    assert re.search(r"\| data \|.*\| yes \|", text)
    assert re.search(r"\| architecture \|.*\| no \|", text)


def test_the_parts_of_such_a_document_stand_in_their_order():
    titles = [chapter.title for chapter in document_chapters(PLAN, ABOUT, [])]
    parts = [
        "Description of modifications",
        "Modification protocol: performance evaluation",
        "Impact assessment",
        "Decisions taken",
    ]
    assert [title for title in titles if title in parts] == parts
    text = to_markdown("Plan", document_chapters(PLAN, ABOUT, []))
    assert "None yet." in text
    assert all(f"| {number}. " in text for number in range(1, 10))


def test_a_demonstration_says_so_and_names_are_text():
    assert "a demonstration, not evidence" in to_markdown(
        "Plan", describe_plan(change_plan(claim=False, min_test_patients=2), ABOUT)
    )
    shown = to_html("Plan", describe_plan(change_plan(may_override=["<b>x</b>"]), Surroundings("m", "d", ("t",))))
    assert "<b>x</b>" not in shown
    assert "not drawn yet" in shown
