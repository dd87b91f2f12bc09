"""A decision of the gate as people read it: a page, a section of the report, and Markdown."""

import html
import math
import re
from collections.abc import Sequence

from lesionflow.data.gate_decision import GateDecision, GateRule, TargetFigure
from lesionflow.evaluation.gate.wording import in_digits
from lesionflow.evaluation.page import Cell, figure_cell, page, table, title_of, words
from lesionflow.metrics import METRICS

#: What stands for the decision in the report until there is one.
BEGIN, END = "<!-- decision -->", "<!-- /decision -->"
#: Where the page lies, seen from the report's folder.
BESIDE = "../decision.html"
#: Why a distance may be another one here than in the report and on the model's card.
DISTANCES = (
    "Where a tumor was missed or made up, a distance counts as the image's diagonal here, so that nobody gains by missing one. Report and model card leave such "
    "cases out of a mean distance and count them beside it."
)
VERDICTS = {
    "first": "the first champion",
    "superior": "superior",
    "non-inferior": "not inferior",
    "can't tell": "can't tell",
    "worse": "worse",
    "refused": "refused",
    "not judged": "not judged",
}

#: A group of fewer patients says little by itself: as few can't show anything in a test of their own either.
FEW = 8
#: The rule of the primary endpoint.
PRIMARY = "better_than_champion"
#: A command's last lines give so many reasons; the page gives all.
MOST_TOLD = 5
#: What a verdict says and what it does not, for who reads one for the first time.
MEANINGS = {
    "non-inferior": "It is shown to lose no more than the change plan allows; that it is better is not shown.",
    "can't tell": (
        "These test patients show neither that it is better nor that it is as good: that is no proof that it is worse. More test patients, or a model that "
        "differs more, would tell."
    ),
    "worse": (
        "The test patients show a loss that chance does not explain. What helps is another model: the report shows the cases that lost most; then change data or "
        "params, or let more data come, and retrain."
    ),
}


def decision_place() -> str:
    """Return the report's section for a decision: it shows the page that `promote` writes beside it."""
    return (
        f"<h2 id='decision'>Decision</h2>{BEGIN}<object data='{BESIDE}' type='text/html' style='width:100%;height:32em;border:0'>"
        f"<p class='note'>Decided by the step <code>promote</code>, which has not run yet, or this page was taken out of its folder: the "
        f"decision is in <a href='{BESIDE}'>reports/decision.html</a>, and in MLflow on the pages of run and version.</p></object>{END}"
    )


def embed_decision(report: str, decision: GateDecision) -> str:
    """Put a decision into a report where its place is; a report of an older version stays as it is."""
    section = render_section(decision)
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}{section}{END}", report, count=1, flags=re.DOTALL)


def render_decision(decision: GateDecision) -> str:
    """Render the page of a decision, which needs nothing beside it."""
    title = f"Decision: {decision.model_name} version {decision.challenger_version}"
    return page(title, [f"<h1>{html.escape(title)}</h1>", render_section(decision)])


def render_section(decision: GateDecision) -> str:
    """Render a decision without the page around it."""
    kind = "better" if decision.promote else "worse" if decision.verdict in {"worse", "refused"} else "even"
    claim = (
        "" if decision.claim else "<p class='note'>The change plan claims nothing: a demonstration, not evidence.</p>"
    )
    parts = [
        f"<p class='verdict {kind}'><b>{html.escape(_said(decision))}.</b> {html.escape(decision.outcome)}</p>",
        f"<p>{html.escape(meaning)}</p>" if (meaning := MEANINGS.get(decision.verdict, "")) else "",
        claim,
        _why(decision.broken, _shown(decision)),
        "<h3>Means over patients</h3>" + _targets(decision.targets) if decision.targets else "",
        f"<p class='note'>{html.escape(DISTANCES)}</p>" if _tells_distances(decision.targets) else "",
        f"<details><summary>All {len(decision.reasons)} rules</summary>{_rules(decision.reasons)}</details>",
        table(("what", "value"), [(words(what), words(value)) for what, value in facts_of(decision)]),
    ]
    return "\n".join(part for part in parts if part)


def decision_markdown(decision: GateDecision) -> str:
    """Say a decision in Markdown, for the pages of MLflow and for files."""
    lines = [f"**{_said(decision)}.** {decision.outcome}", ""]
    if decision.verdict in MEANINGS:
        lines += [MEANINGS[decision.verdict], ""]
    if not decision.claim:
        lines += ["The change plan claims nothing: a demonstration, not evidence.", ""]
    lines += [part for rule in _shown(decision) if not decision.broken for part in (_cell(rule.detail), "")]
    if decision.broken:
        lines += ["What did not hold:", "", *(f"- {_cell(rule.detail)}" for rule in decision.broken), ""]
    if decision.targets:
        lines += ["| target | metric | this model | champion |", "|---|---|---|---|"]
        lines += [
            f"| {_cell(one.target)} | {_cell(title_of(one.metric))} | {_number(one.challenger)} | {_number(one.champion)} |"
            for one in decision.targets
        ]
        lines.append("")
    if _tells_distances(decision.targets):
        lines += [DISTANCES, ""]
    lines += ["| rule | held | why |", "|---|---|---|"]
    lines += [
        f"| {_cell(rule.rule)} | {'yes' if rule.held else 'no'} | {_cell(rule.detail)} |" for rule in decision.reasons
    ]
    lines += ["", *(f"- {what}: {value}" for what, value in facts_of(decision))]
    return "\n".join(lines) + "\n"


def decision_lines(decision: GateDecision) -> tuple[str, ...]:
    """Say a decision in the few lines that a command ends with."""
    why, more = _most_telling(decision.broken) if decision.broken else (_shown(decision), 0)
    meaning = [f"  {MEANINGS[decision.verdict]}"] if decision.verdict in MEANINGS else []
    rest = (
        [f"  And {more} more {'rules fail' if more > 1 else 'rule fails'} for the same patients; the page has all."]
        if more
        else []
    )
    return (f"Decision: {_said(decision)}. {decision.outcome}", *meaning, *(f"  {rule.detail}" for rule in why), *rest)


def facts_of(decision: GateDecision) -> list[tuple[str, str]]:
    """Return what identifies a decision: plan, look, test set and the tables it was taken by."""
    look = (
        f"{decision.look} of {decision.looks}: each decision by the same patients may be wrong by a part of what all may, this one by {decision.alpha:.2g}"
        if decision.look
        else "none spent"
    )
    facts = [
        ("decided at", decision.decided_at),
        ("change plan", f"number {decision.change_plan_version}, sha256 {decision.change_plan_sha256:.12}"),
        ("look at the test set", look),
        ("test set", f"{decision.n_test_patients} patients, sha256 {decision.test_set_sha256:.12}"),
        ("bundle", f"sha256 {decision.bundle_digest:.12}"),
    ]
    facts += [(f"scores of the {name}", f"sha256 {digest:.12}") for name, digest in decision.scores.items()]
    return [(what, value) for what, value in facts if value]


def _most_telling(broken: Sequence[GateRule]) -> tuple[list[GateRule], int]:
    """Return one rule of each kind, as many as are read, and how many more there are.

    What refuses comes first, then the primary endpoint; of groups the largest is told, and one of few patients last, as it alarms more than it says.
    """
    kinds: dict[str, GateRule] = {}
    for rule in sorted(broken, key=_order):
        kinds.setdefault(rule.rule.partition(":")[0], rule)
    if "not_worse" in kinds:
        # It says the same of a target, with its bound.
        kinds.pop("no_loss", None)
    told = list(kinds.values())[:MOST_TOLD]
    return told, len(broken) - len(told)


def _order(rule: GateRule) -> tuple[bool, bool, bool, float]:
    n_patients = rule.figures.get("n_patients") if rule.rule.startswith("group:") else None
    return n_patients is not None and n_patients < FEW, not rule.refuses, rule.rule != PRIMARY, -(n_patients or 0.0)


def _shown(decision: GateDecision) -> tuple[GateRule, ...]:
    """Return what shows the gain, or that the first one reaches the floors: where all holds, it is why."""
    first = decision.verdict == "first"
    return tuple(
        rule for rule in decision.reasons if rule.rule == PRIMARY or (first and rule.rule.startswith("floor:"))
    )


def _said(decision: GateDecision) -> str:
    verdict = VERDICTS.get(decision.verdict, decision.verdict)
    return verdict[0].upper() + verdict[1:]


def _why(broken: Sequence[GateRule], shown: Sequence[GateRule]) -> str:
    if not broken:
        return "".join(f"<p>{html.escape(rule.detail)}</p>" for rule in shown)
    items = "".join(f"<li>{html.escape(rule.detail)}</li>" for rule in broken)
    return f"<p>What did not hold:</p><ul>{items}</ul>"


def _targets(figures: Sequence[TargetFigure]) -> str:
    rows = [
        (
            words(one.target),
            words(title_of(one.metric)),
            figure_cell(_finite(one.challenger), METRICS[one.metric].unit if one.metric in METRICS else ""),
            figure_cell(_finite(one.champion), METRICS[one.metric].unit if one.metric in METRICS else ""),
        )
        for one in figures
    ]
    return table(("target", "metric", "this model", "champion"), rows)


def _tells_distances(figures: Sequence[TargetFigure]) -> bool:
    return any(one.metric in METRICS and METRICS[one.metric].unit == "mm" for one in figures)


def _rules(rules: Sequence[GateRule]) -> str:
    rows = [
        (words(rule.rule), Cell("held" if rule.held else "not held", kind="words"), words(rule.detail))
        for rule in rules
    ]
    return table(("rule", "", "why"), rows)


def _finite(value: float | None) -> float:
    return math.nan if value is None else value


def _number(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else in_digits(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
