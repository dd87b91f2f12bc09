"""The model card (Mitchell et al. 2019, DOI 10.1145/3287560.3287596): what a model is for, of whom it learned, how well it does for whom, and its limits."""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lesionflow.data.bundle import Bundle
from lesionflow.evaluation.page import number, page, table, title_of
from lesionflow.metrics import HEADLINE, METRICS
from lesionflow.planning.diff import compare_plans

KINDS = {"ct": "CT", "pet": "PET", "mr": "MR", "picture": "pictures"}
#: Of fewer patients nothing can be said of a group.
FEW_PATIENTS = 10
RESEARCH_USE = "Research use only. Not a medical device: not for diagnosis or treatment."


class CardSection(NamedTuple):
    """A part of the card: paragraphs, and a table below them."""

    title: str
    paragraphs: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class CardFacts:
    """All that a card tells of.

    Args:
        model_name: The registered model.
        bundle: The model.
        metrics: `metrics.json` of its evaluation.
        cohort: `cohort.json` of its evaluation: `trained` and `tested`, each as `describe_cohort` counts; empty where it is of an older version.
        against_champion: How it compares, in a sentence; may be empty.
        champion: The champion's version and bundle when this one was registered; None where there was none or it can't be read.
        signed_by: Whose signature the version gets, in words.
    """

    model_name: str
    bundle: Bundle
    metrics: Mapping[str, Any]
    cohort: Mapping[str, Any]
    against_champion: str
    champion: tuple[str, Bundle] | None
    signed_by: str


def write_markdown(facts: CardFacts) -> str:
    """Return the card as Markdown, as a version's page in MLflow shows it."""
    parts = [f"# {_title(facts)}", f"**{RESEARCH_USE}**"]
    for section in _sections(facts):
        parts += [f"## {section.title}", *(_escaped(text) for text in section.paragraphs)]
        if section.rows:
            lines = [section.heads, ("---",) * len(section.heads), *section.rows]
            parts.append("\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines))
    return "\n\n".join(parts) + "\n"


def write_html(facts: CardFacts) -> str:
    """Return the card as an HTML page that needs nothing beside it."""
    parts = [f"<h1>{html.escape(_title(facts))}</h1>", f"<p><b>{html.escape(RESEARCH_USE)}</b></p>"]
    for section in _sections(facts):
        parts.append(f"<h2>{html.escape(section.title)}</h2>")
        parts += [f"<p>{html.escape(text)}</p>" for text in section.paragraphs]
        if section.rows:
            parts.append(table(section.heads, section.rows))
    return page(_title(facts), parts)


def _title(facts: CardFacts) -> str:
    return f"Model card: {facts.model_name}, bundle {facts.bundle.digest:.12}"


def _escaped(text: str) -> str:
    """Keep what stands in data from being read as a table's or a page's own marks."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _sections(facts: CardFacts) -> list[CardSection]:
    return [
        _use(facts.bundle),
        _figures(facts.metrics, facts.against_champion),
        _subgroups(facts.metrics),
        _limits(facts),
        _data(facts.cohort),
        _changes(facts),
        _origin(facts),
    ]


def _use(bundle: Bundle) -> CardSection:
    plan = bundle.plan
    images = ", ".join(
        channel.name if channel.name == KINDS[channel.kind] else f"{channel.name} ({KINDS[channel.kind]})"
        for channel in plan.channels
    )
    targets = ", ".join(target.name for target in plan.targets)
    return CardSection(
        "What it is for",
        (
            (
                f"It outlines {targets} in studies of {images}, as those of the data set {plan.dataset.name}. The outline is a proposal: somebody who reads "
                "such studies checks each one before anything follows from it."
            ),
            (
                "It is not for other kinds of images, for groups of patients that are not among those below, for finding tumors that nobody looks for, or "
                "for comparing a patient's studies without a look at each outline."
            ),
        ),
    )


def _figures(metrics: Mapping[str, Any], against: str) -> CardSection:
    rows = []
    for target, found in _targets(metrics).items():
        for name in (name for name in HEADLINE if isinstance(found.get(name), Mapping)):
            alone = (found.get("with_tumor") or {}).get(name)
            shown = (
                target,
                title_of(name),
                _mean(found[name], name),
                _interval(found[name], name),
                _count(found[name]),
            )
            rows.append((*shown, f"{_mean(alone, name)} of {_count(alone)}" if alone else ""))
    heads = ("target", "figure", "mean", "interval", "test patients", "of those with a tumor")
    said = (f"Against the champion of its day: {against}",) if against else ()
    return CardSection("How well it does", (*said, "On patients it never learned from:"), heads, tuple(rows))


def _subgroups(metrics: Mapping[str, Any]) -> CardSection:
    rows = [
        (
            target,
            f"{group['by']}: {group['group']}",
            str(group["n_patients"]),
            _mean(dice, "dice"),
            _interval(dice, "dice"),
        )
        for target, found in _targets(metrics).items()
        for group in found.get("subgroups", ())
        if (dice := group["estimates"].get("dice"))
    ]
    said = () if rows else ("The test patients can't be told apart by site, scanner, sex, age or size of the tumor.",)
    return CardSection("For whom", said, ("target", "group", "patients", "mean Dice", "interval"), tuple(rows))


def _limits(facts: CardFacts) -> CardSection:
    said = []
    for target, found in _targets(facts.metrics).items():
        if found.get("n_missed_cases"):
            said.append(
                f"{target}: nothing was found in {found['n_missed_cases']} of {found['n_cases_with_tumor']} test cases that have one."
            )
        if found.get("n_false_alarm_cases"):
            said.append(
                f"{target}: outlined in {found['n_false_alarm_cases']} of {found['n_cases_without_tumor']} test cases that have none."
            )
        few = [
            f"{g['by']} {g['group']} ({g['n_patients']})"
            for g in found.get("subgroups", ())
            if g["n_patients"] < FEW_PATIENTS
        ]
        if few:
            said.append(
                f"{target}: of these groups there are fewer than {FEW_PATIENTS} test patients, so that its figures say little: {', '.join(few)}."
            )
    tested = (facts.cohort.get("tested") or {}).get("groups") or {}
    unknown = [name for name in ("site", "scanner", "sex", "age (years)") if set(tested.get(name, ())) <= {"unknown"}]
    if unknown:
        said.append(
            f"Not known of the test patients, so that nothing is known of differences by it: {', '.join(unknown)}."
        )
    said.append(
        "A study unlike those it learned from is flagged; which studies those are was fitted on its validation cases."
        if facts.bundle.calibration is not None and facts.bundle.calibration.profile is not None
        else "It can't tell whether a study is unlike those it learned from."
    )
    return CardSection("Limits", tuple(said))


def _data(cohort: Mapping[str, Any]) -> CardSection:
    if not cohort:
        return CardSection("Of whom it learned", ("Not counted by the version that evaluated it.",))
    trained, tested = cohort["trained"], cohort["tested"]
    rows = [("all", "patients", str(trained["n_patients"]), str(tested["n_patients"]))]
    rows.append(("all", "cases", str(trained["n_cases"]), str(tested["n_cases"])))
    for name in dict.fromkeys((*trained["groups"], *tested["groups"])):
        ours, theirs = trained["groups"].get(name, {}), tested["groups"].get(name, {})
        rows += [
            (name, group, str(ours.get(group, 0)), str(theirs.get(group, 0))) for group in sorted({*ours, *theirs})
        ]
    return CardSection("Of whom it learned", (), ("property", "group", "learned from", "tested on"), tuple(rows))


def _changes(facts: CardFacts) -> CardSection:
    if facts.champion is None:
        return CardSection("What changed", ("There is no earlier version to compare it with.",))
    version, champion = facts.champion
    ours, theirs = set(facts.bundle.card.trained_cases), set(champion.card.trained_cases)
    rows = [
        (
            "cases learned from",
            str(len(theirs)),
            f"{len(ours)}: {len(ours - theirs)} new, {len(theirs - ours)} no longer",
        ),
        *((d.what, d.old, d.new) for d in compare_plans(champion.plan, facts.bundle.plan)),
        *(
            (name.replace("_", " "), f"{getattr(champion.card, name):.12}", f"{getattr(facts.bundle.card, name):.12}")
            for name in ("code_revision", "data_revision", "lesionflow_version")
            if getattr(champion.card, name) != getattr(facts.bundle.card, name)
        ),
    ]
    return CardSection(f"What changed since version {version}", (), ("", f"version {version}", "now"), tuple(rows))


def _origin(facts: CardFacts) -> CardSection:
    card = facts.bundle.card
    rows = [
        ("bundle (sha256)", facts.bundle.digest),
        ("plan (sha256)", card.plan_sha256),
        ("code revision", card.code_revision),
        ("data revision", card.data_revision),
        ("training run", card.run_id or "none"),
        ("lesionflow", card.lesionflow_version),
        ("seal", facts.signed_by),
    ]
    return CardSection("Where it came from", (), ("", ""), tuple(rows))


def _targets(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    return metrics.get("targets") or {"tumor": metrics}


def _mean(estimate: Mapping[str, Any], metric: str) -> str:
    return number(_float(estimate.get("mean")), METRICS[metric].unit)


def _interval(estimate: Mapping[str, Any], metric: str) -> str:
    low, high = (_float(estimate.get(end)) for end in ("low", "high"))
    unit = METRICS[metric].unit
    return "too few patients" if math.isnan(low) else f"{number(low, unit)} to {number(high, unit)}"


def _count(estimate: Mapping[str, Any]) -> str:
    return str(estimate.get("n", ""))


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def card_files(facts: CardFacts) -> Sequence[tuple[str, str]]:
    """Return the card's files by name: `model_card.md` and `model_card.html`."""
    return (("model_card.md", write_markdown(facts)), ("model_card.html", write_html(facts)))
