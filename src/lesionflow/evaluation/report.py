"""The evaluation as people read it: how good, how sure, where it fails, for whom, and better than the champion or not."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from lesionflow.config.names import key_of
from lesionflow.data.bundle import Card
from lesionflow.data.plan import Plan
from lesionflow.evaluation.comparison import MetricDifference
from lesionflow.evaluation.froc import READ_OFF_AT
from lesionflow.evaluation.page import (
    NO_FIGURE,
    Cell,
    Picture,
    figure_cell,
    interval,
    number,
    page,
    picture,
    table,
    tile,
    title_of,
    words,
)
from lesionflow.evaluation.promotion_documents.decision_page import decision_place
from lesionflow.evaluation.reliability_section import reliability_section
from lesionflow.evaluation.results import SUBGROUP_METRICS, TargetResult
from lesionflow.evaluation.subgroups import MIN_PATIENTS, Subgroup
from lesionflow.metrics import HEADLINE, METRICS
from lesionflow.metrics.lesion import SIZE_CLASSES_ML

#: Columns of the case table, in the order of a reviewer's questions.
CASE_COLUMNS = (
    "dice", "surface_dice_2mm", "hd95_mm", "assd_mm", "precision", "recall", "reference_ml", "predicted_ml",
    "volume_error_ml", "n_reference_lesions", "lesion_recall", "n_false_positive_lesions", "seconds",
)  # fmt: skip
COUNTS = {"n_reference_lesions", "n_false_positive_lesions"}
UNITS = {"reference_ml": "ml", "predicted_ml": "ml", "seconds": "s", **dict.fromkeys(COUNTS, "count")}


@dataclass(frozen=True, eq=False)
class ReportContent:
    """All that the report shows.

    Args:
        title: Its heading.
        plan: The model's plan; None of masks that no model of ours made.
        card: Where the model came from; likewise.
        cases: The table of scores, one row a case and target.
        results: By target.
        plots: By target, pictures of all cases together.
        worst: Case id and picture, worst first.
        training: The curves of the training, None where the run's store does not have them.
        champion: What the champion is called; None without one.
        champion_note: Why there is no comparison, where there is none.
        confidence_level: Of all intervals.
        data: Facts about the test data, name and value.
    """

    title: str
    plan: Plan | None
    card: Card | None
    cases: pd.DataFrame
    results: Mapping[str, TargetResult]
    plots: Mapping[str, Sequence[Picture]]
    worst: Sequence[tuple[str, Picture]]
    training: Picture | None
    champion: str | None
    champion_note: str
    confidence_level: float
    data: Sequence[tuple[str, str]]


def render_report(content: ReportContent) -> str:
    """Render the report.

    Args:
        content: What it shows.

    Returns:
        A whole HTML page that needs nothing beside it.
    """
    shown = {case_id for case_id, _ in content.worst}
    level, decisions = f"{content.confidence_level:.0%}", content.plan.decisions if content.plan else ()
    parts = [
        f"<h1>{html.escape(content.title)}</h1>",
        (
            "<p class='note'>Research use only. Whole volumes, in each study's own space, on the locked test patients. Every "
            f"interval covers {level} and is by patient, so that one with several studies counts once: exact for rates, by sign flips for differences, by "
            "bootstrap for means.</p>"
        ),
        _navigation(content),
        decision_place(),
        *(_target(name, result, content) for name, result in content.results.items()),
        (
            "<h2 id='cases'>Cases</h2><p class='note'>Worst first; click a heading to sort. A linked case has its picture "
            f"below. {NO_FIGURE} means undefined; ∞ that a tumor was missed or made up, and no finite value exists: the rules are in "
            "the last table.</p>"
        ),
        _case_table(content.cases, shown),
        (
            "<h2 id='worst'>Worst cases</h2><p class='note'>The slices where reference (blue, solid) and prediction (orange, "
            "dashed) differ most; the last row is the dotted frame drawn closer.</p>"
        ),
        *(picture(shown, wide=True, anchor=f"case-{case_id}") for case_id, shown in content.worst),
        "<h2 id='training'>Training</h2>",
        picture(content.training, wide=True)
        if content.training
        else "<p class='note'>The run that trained this model is not in this MLflow store; its curves are not here.</p>",
        "<h2 id='data'>The data</h2>",
        table(("what", "value"), [(words(a), words(b)) for a, b in (*content.data, *_lineage(content.card))]),
        "<h2 id='plan'>The plan</h2>",
        table(("decision", "value", "why"), [(d.what, d.value, d.why) for d in decisions]),
        "<h2 id='metrics'>What the metrics mean</h2>",
        table(("metric", "unit", "better", "empty masks"), _meanings()),
    ]
    return page(content.title, parts)


def _navigation(content: ReportContent) -> str:
    sections = {"decision": "decision"} | {f"target-{key_of(name)}": name for name in content.results}
    sections |= {"cases": "cases", "worst": "worst cases", "training": "training", "data": "the data"}
    sections |= {"plan": "the plan", "metrics": "what the metrics mean"}
    links = "".join(f"<a href='#{html.escape(key)}'>{html.escape(text)}</a>" for key, text in sections.items())
    return f"<nav>{links}</nav>"


def _target(name: str, result: TargetResult, content: ReportContent) -> str:
    parts = [
        f"<h2 id='target-{key_of(name)}'>{html.escape(name[0].upper() + name[1:])}</h2>",
        f"<div class='tiles'>{''.join(tile(metric, result.estimates[metric], result.tumors_alone(metric)) for metric in HEADLINE)}</div>",
        _misses(result),
        _against(result.differences, content),
        f"<details><summary>All {len(METRICS)} metrics</summary>{_all_metrics(result)}</details>",
        f"<div class='plots'>{''.join(picture(plot) for plot in content.plots[name])}</div>",
        "<h3>Lesions by size, all cases together</h3>",
        _sizes(result),
        _froc(result),
        reliability_section(result.reliability),
        _subgroups(result.subgroups),
    ]
    return "\n".join(parts)


def _misses(result: TargetResult) -> str:
    if not result.n_missed_cases and not result.n_false_alarm_cases:
        return ""
    of_missed = f"In {result.n_missed_cases} of {result.n_cases_with_tumor} cases with a tumor nothing was found"
    made_up = f"in {result.n_false_alarm_cases} of {result.n_cases_without_tumor} without one something was"
    return (
        f"<p class='note'><b>{of_missed}; {made_up}.</b> They have no finite distance: read a mean distance with the number of its "
        "cases. Surface Dice and all other shares count them as 0.</p>"
    )


def _against(differences: Sequence[MetricDifference], content: ReportContent) -> str:
    if not differences or content.champion is None:
        return f"<p class='verdict'>{html.escape(content.champion_note)}</p>"
    level = content.confidence_level
    dice = next(d for d in differences if d.metric == "dice")
    kind = dice.verdict(level).replace("not told apart", "even")
    rows = [
        (
            words(title_of(d.metric)),
            figure_cell(d.first, _unit(d.metric)),
            figure_cell(d.second, _unit(d.metric)),
            words("; ".join(filter(None, (d.sentence(level), d.penalty())))),
            Cell(str(d.n_patients)),
            Cell(str(d.n_undefined_for_one)),
        )
        for d in differences
    ]
    heads = ("metric", "champion", "this model", "this model is", "patients", "undefined for one")
    return (
        f"<p class='verdict {kind}'>Against the champion, {html.escape(content.champion)}: Dice "
        f"<b>{html.escape(dice.sentence(level))}</b>.</p><details><summary>Against the champion, metric by metric"
        f"</summary><p class='note'>Paired by patient. A gain is positive where this model is better. Interval and p by sign flips of "
        f"patients; p of {title_of(differences[0].metric)} as it is, of the other {len(differences) - 1} metrics corrected by Holm's rule.</p>{table(heads, rows)}</details>"
    )


def _all_metrics(result: TargetResult) -> str:
    rows = [
        (
            words(title_of(name)),
            figure_cell(value.mean, _unit(name)),
            Cell(interval(value, _unit(name))),
            Cell(str(value.n)),
            words(value.left_out()),
        )
        for name, value in result.estimates.items()
    ]
    return table(("metric", "mean", "interval", "patients", "cases left out of the mean"), rows)


def _sizes(result: TargetResult) -> str:
    rows = []
    for size in result.sizes:
        low, high = SIZE_CLASSES_ML[size.name]
        bounds = f"{low:g} to {high:g} ml" if high < float("inf") else f"{low:g} ml and more"
        cells = [words(f"{size.name}, {bounds}"), Cell(str(size.n_reference))]
        for value in (size.recall, size.dice):
            cells += [figure_cell(value.mean), Cell(interval(value))]
        cells += [Cell(str(size.n_predicted)), figure_cell(size.precision.mean), Cell(interval(size.precision))]
        rows.append(cells)
    heads = ("size", "lesions", "found", "interval", "their Dice", "interval", "predicted", "of them real", "interval")
    return table(heads, rows)


def _froc(result: TargetResult) -> str:
    curve = result.froc
    if curve is None:
        return "<p class='note'>No case has a lesion, so that there is no FROC curve.</p>"
    rows = [
        [words("share of lesions found"), *(figure_cell(value) for value in curve.read_off), figure_cell(curve.score)]
    ]
    heads = ("false alarms per case, at most", *(f"{at:g}" for at in READ_OFF_AT), "mean")
    return f"<h3>Lesions found by probability (FROC)</h3>{table(heads, rows)}"


def _subgroups(groups: Sequence[Subgroup]) -> str:
    if not groups:
        return ""
    rows = []
    for group in groups:
        cells = [words(group.by), words(group.group), Cell(str(group.n_patients)), Cell(str(group.n_cases))]
        for name in SUBGROUP_METRICS:
            value = group.estimates[name]
            shown = number(value.mean, _unit(name))
            shown = f"{shown} [{interval(value, _unit(name))}]" if value.low == value.low else shown
            # Undefined cases are counted by their metrics in the table above; what was missed changes what the mean is of.
            left_out = value.n_missed or value.n_false_alarms
            cells.append(Cell(f"{shown}, {value.left_out()}" if left_out else shown))
        rows.append(cells)
    heads = ("by", "group", "patients", "cases", *(title_of(name) for name in SUBGROUP_METRICS))
    return (
        f"<h3>For whom</h3><p class='note'>No interval with fewer than {MIN_PATIENTS} patients. Groups are looked at, "
        f"not tested: a difference between them is a question, not a finding.</p>{table(heads, rows)}"
    )


def _case_table(cases: pd.DataFrame, with_picture: set[str]) -> str:
    columns = [name for name in CASE_COLUMNS if name in cases]
    several = len(cases["target"].unique()) > 1
    rows = []
    for _, row in cases.sort_values(["dice", "case_id"]).iterrows():
        link = f"case-{row['case_id']}" if row["case_id"] in with_picture else ""
        cells = [words(row["case_id"], link), *([words(row["target"])] if several else [])]
        rows.append([*cells, *(figure_cell(float(row[name]), _unit(name)) for name in columns)])
    heads = ["case", *(["target"] if several else []), *(title_of(name) for name in columns)]
    return table(heads, rows, sortable=True)


def _lineage(card: Card | None) -> list[tuple[str, str]]:
    if card is None:
        return []
    shown = ("run_id", "data_revision", "code_revision", "lesionflow_version", "plan_sha256", "epochs")
    rows = [(name.replace("_", " "), str(getattr(card, name)) or "unknown") for name in shown]
    by = ", each by the fold that had not seen it" if card.folds else ""
    validated = f"{len(card.validation_cases)} cases{by}, Dice {card.validation_dice:.3f}"
    return [*rows, ("trained on", f"{len(card.trained_cases)} cases"), ("validated on", validated)]


def _meanings() -> list[tuple[str, str, str, str]]:
    better = {1: "higher", -1: "lower", 0: "near 0"}
    return [(title_of(m.name), m.unit or "share", better[m.direction], m.empty) for m in METRICS.values()]


def _unit(name: str) -> str:
    return UNITS.get(name) or (METRICS[name].unit if name in METRICS else "")
