"""The decision as a page, a section of the report, Markdown and last lines."""

from lesionflow.data.gate_decision import GateRule, TargetFigure
from lesionflow.evaluation.promotion_documents.decision_page import (
    decision_lines,
    decision_markdown,
    decision_place,
    embed_decision,
    render_decision,
)
from support.decisions import decision


def test_a_page_says_verdict_outcome_reasons_and_what_it_was_taken_by():
    shown = render_decision(decision())
    assert "Decision: lesionflow-knees version 2" in shown
    assert "<b>Refused.</b> Version 1 stays champion; version 2 of lesionflow-knees does not become it." in shown
    assert shown.index("<li>Too low.</li>") < shown.index("<li>A gain of +0.01 is not shown.</li>")
    for fact in (
        "number 3, sha256 cccccccccccc",
        "2 of 20: each decision by the same patients may be wrong by a part of what all may, this one by 0.004",
        "16 patients, sha256 eeeeeeeeeeee",
    ):
        assert fact in shown
    assert "0.710" in shown
    assert "claims nothing" not in shown
    assert "claims nothing" in render_decision(decision(claim=False))


def test_what_somebody_wrote_is_text_not_html():
    rule = GateRule(rule="x", held=False, detail="<script>alert(1)</script>")
    assert "<script>alert" not in render_decision(decision(reasons=(rule,)))


def test_the_reports_place_is_filled_and_nothing_around_it_changes():
    report = f"<p>before</p>{decision_place()}<p>after</p>"
    assert "../decision.html" in report
    shown = embed_decision(report, decision())
    assert shown.startswith("<p>before</p>")
    assert shown.endswith("<p>after</p>")
    assert "Version 1 stays champion" in shown
    assert "has not run yet" not in shown
    # A second decision takes the first one's place.
    again = embed_decision(shown, decision(promote=True, champion_version_after="2"))
    assert "stays champion" not in again
    assert "is the champion now" in again
    assert embed_decision("<p>an older report</p>", decision()) == "<p>an older report</p>"


def test_markdown_keeps_its_tables_whole():
    text = decision_markdown(decision())
    assert text.startswith("**Refused.** Version 1 stays champion")
    assert "| look_budget | yes | Look 2 of 20 \\| fine. |" in text
    assert "| tumor | Dice | 0.71 | 0.7 |" in text
    assert "- scores of the challenger: sha256 ffffffffffff" in text


def test_a_distance_that_differs_from_the_reports_is_explained_beside_it():
    distance = TargetFigure(target="tumor", metric="hd95_mm", challenger=188.0, champion=202.0)
    for show in (render_decision, decision_markdown):
        assert "counts as the image" in show(decision(targets=(distance,)))
        assert "counts as the image" not in show(decision())


def test_what_a_verdict_does_not_say_is_said_beside_it():
    unsure = decision(verdict="can't tell")
    for text in (render_decision(unsure), decision_markdown(unsure), "\n".join(decision_lines(unsure))):
        assert "no proof that it is worse" in text
    assert "a loss that chance does not explain" in render_decision(decision(verdict="worse"))


def test_the_last_lines_say_why():
    assert decision_lines(decision()) == (
        "Decision: Refused. Version 1 stays champion; version 2 of lesionflow-knees does not become it.",
        "  Too low.",
        "  A gain of +0.01 is not shown.",
    )
    shown = GateRule(rule="better_than_champion", held=True, detail="A gain of +0.05 is shown.")
    better = decision(promote=True, verdict="superior", champion_version_after="2", reasons=(shown,))
    assert decision_lines(better)[1] == "  A gain of +0.05 is shown."
    assert "<p>A gain of +0.05 is shown.</p>" in render_decision(better)
    assert decision_markdown(better).splitlines()[2] == "A gain of +0.05 is shown."


def test_of_the_first_one_is_said_which_floors_it_reaches():
    none = GateRule(rule="better_than_champion", held=True, detail="There was no champion to beat.")
    floor = GateRule(
        rule="floor:tumor:dice", held=True, detail="Mean Dice of tumor 0.6 over 16 patients; at least 0.3 is needed."
    )
    other = GateRule(rule="enough_patients", held=True, detail="16 patients.")
    first = decision(promote=True, verdict="first", champion_version_before=None, reasons=(other, floor, none))
    assert decision_lines(first)[1:] == (f"  {floor.detail}", f"  {none.detail}")
    assert floor.detail in decision_markdown(first).split("| rule |")[0]


def test_a_command_ends_with_one_reason_of_a_kind_and_the_page_has_all():
    names = (
        "better_than_champion",
        "not_worse:tumor:dice",
        "not_worse:tumor:hd95_mm",
        "no_loss:tumor",
        "group:sex F",
        "group:sex M",
    )
    broken = tuple(GateRule(rule=name, held=False, detail=f"Because of {name}.", refuses=True) for name in names)
    worse = decision(verdict="worse", reasons=broken)
    told = [f"  Because of {name}." for name in ("better_than_champion", "not_worse:tumor:dice", "group:sex F")]
    assert list(decision_lines(worse)[2:]) == [
        *told,
        "  And 3 more rules fail for the same patients; the page has all.",
    ]
    assert all(rule.detail in render_decision(worse) for rule in broken)


def test_what_refuses_and_the_primary_endpoint_come_first_and_groups_of_few_last():
    def rule(name, n_patients=None, *, refuses=True):
        figures = {} if n_patients is None else {"n_patients": n_patients}
        return GateRule(rule=name, held=False, detail=f"Because of {name}.", refuses=refuses, figures=figures)

    few, many = rule("group:sex F", 3.0), rule("group:sex M", 21.0)
    primary, harm = rule("better_than_champion", refuses=False), rule("no_new_misses")

    def told(*rules):
        lines = decision_lines(decision(reasons=rules))[1:]
        return [line.strip().removeprefix("Because of ").rstrip(".") for line in lines]

    assert told(few, primary, harm) == ["no_new_misses", "better_than_champion", "group:sex F"]
    # Of two groups the larger is told, which may refuse by itself.
    assert told(few, primary, many) == [
        "group:sex M",
        "better_than_champion",
        "And 1 more rule fails for the same patients; the page has all",
    ]


def test_of_a_worse_one_is_said_what_helps():
    said = decision_lines(decision(verdict="worse"))
    assert "What helps is another model: the report shows the cases that lost most" in said[1]
