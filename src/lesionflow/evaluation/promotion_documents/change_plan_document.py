"""The change plan as a document that a quality manager can file: what may change, how each change is verified, what harm it could do, what was decided.

Its parts are those of a predetermined change control plan, in our own words:

- FDA, Marketing Submission Recommendations for a Predetermined Change Control Plan for Artificial Intelligence-Enabled Device Software
  Functions (final guidance, December 2024): description of modifications, modification protocol, impact assessment.
- Regulation (EU) 2024/1689, article 43(4) and annex IV: technical documentation, of which point 2(f) asks for changes that were determined
  beforehand and point 6 for those that were made.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lesionflow.config.change_plan import ALL_TARGETS, Change, ChangePlan
from lesionflow.evaluation.gate.harm import MOST_SCATTER, SCATTER
from lesionflow.evaluation.gate.new_misses import MOST_MISSED
from lesionflow.evaluation.promotion_documents.chapters import Chapter
from lesionflow.evaluation.promotion_documents.decisions_taken import TakenDecision, decisions_chapter
from lesionflow.metrics import METRICS
from lesionflow.metrics.display_names import head_of, spell_metric

CHANGES = {
    Change.DATA: "cases that were added, corrected or withdrawn; the network, its training and its preprocessing stay",
    Change.TRAINING: "how it is trained: epochs, loss, learning rate, augmentation, the weights that it starts from",
    Change.PLAN: "what is measured from the cases anew: patches, batches, inference and the rules that make a mask of probabilities",
    Change.ARCHITECTURE: "the kind of network, its size, its dimensions, or a first stage",
    Change.PREPROCESSING: "spacing, channels, intensities and filters",
    Change.TARGETS: "which structures are found",
}
SOURCES = (
    (
        "FDA, Marketing Submission Recommendations for a Predetermined Change Control Plan for Artificial Intelligence-Enabled Device Software "
        "Functions, final guidance, December 2024."
    ),
    "Regulation (EU) 2024/1689 of the European Parliament and of the Council (AI Act), article 43(4) and annex IV.",
)


@dataclass(frozen=True)
class Surroundings:
    """What the document says beside the plan: the model, its data, and who is champion.

    `first_authorized` is the version that later champions are held against; empty where there is none yet.
    """

    model_name: str
    dataset: str
    targets: tuple[str, ...]
    n_test_patients: int | None = None
    test_set_sha256: str = ""
    champion: str = ""
    first_authorized: str = ""
    looks_spent: int | None = None


def describe_plan(plan: ChangePlan, about: Surroundings) -> tuple[Chapter, ...]:
    """Say what a plan means, in chapters: description of modifications, modification protocol, impact assessment."""
    return (_general(plan, about), _modifications(plan), *_protocol(plan, about), _impact(plan, about))


def document_chapters(plan: ChangePlan, about: Surroundings, taken: Sequence[TakenDecision]) -> tuple[Chapter, ...]:
    """Return the whole document: the plan, every decision and change of champion, and where annex IV is answered."""
    return (*describe_plan(plan, about), decisions_chapter(plan, taken), _annex(), Chapter("Sources", items=SOURCES))


def _general(plan: ChangePlan, about: Surroundings) -> Chapter:
    test = (
        f"{about.n_test_patients} patients, sha256 {about.test_set_sha256:.12}"
        if about.n_test_patients
        else "not drawn yet"
    )
    return Chapter(
        "General description",
        (f"The change plan number {plan.version} (sha256 {plan.digest}) of the model {about.model_name}.",)
        + (
            ()
            if plan.claim
            else ("It makes no claim (`claim: false`): promotions by it are a demonstration, not evidence.",)
        ),
        heads=("what", "value"),
        rows=(
            ("dataset", about.dataset),
            ("what is found", ", ".join(about.targets)),
            ("locked test set", test),
            ("champion", f"version {about.champion}" if about.champion else "none yet"),
            ("first authorized version", f"version {about.first_authorized}" if about.first_authorized else "none yet"),
        ),
    )


def _modifications(plan: ChangePlan) -> Chapter:
    rows = [
        (change.value, words, "yes" if change in plan.what_may_change else "no") for change, words in CHANGES.items()
    ]
    return Chapter(
        "Description of modifications",
        (
            (
                "A new version comes from the same steps as the one before. It may differ from the champion in what stands at `yes`; whatever else differs is "
                "found by comparing plans and cards of both, and refused."
            ),
        ),
        heads=("part", "what that is", "may change"),
        rows=rows,
    )


def _protocol(plan: ChangePlan, about: Surroundings) -> tuple[Chapter, ...]:
    return (
        Chapter(
            "Modification protocol: data management",
            (
                (
                    "Studies are versioned by DVC and hashed. Patients, not studies, are divided; who is in the test set stays in it, and patients whose "
                    "images are nearly the same stay on one side."
                ),
                (
                    "Before anything is compared, the cards of both models, and of every model that their training started from, are searched for test patients "
                    "and near-duplicates of them. One is enough to refuse."
                ),
            ),
        ),
        Chapter(
            "Modification protocol: re-training",
            (
                "By `lesionflow run` or `lesionflow retrain`: the stages and params are versioned in git, each run with its code and data in MLflow.",
            ),
        ),
        _performance(plan, about),
        Chapter(
            "Modification protocol: update procedure",
            (
                (
                    "The decision stands in an append-only, hash-chained ledger before the alias `champion` moves; a broken-off change is completed or undone by the "
                    "next call. `lesionflow models rollback` goes back, by name and reason, to the champion before, whose bytes are verified first."
                ),
                f"Bundles that no trusted key has signed are {plan.unsigned_bundles}.",
                "By hand, past these rules, a champion is made by name and with a reason, which stay in the ledger. Who may: "
                + (", ".join(plan.may_override) or "anybody, as this plan lists nobody")
                + ".",
            ),
        ),
    )


def _performance(plan: ChangePlan, about: Surroundings) -> Chapter:
    gain = f" by more than {_figure(plan.primary.min_gain, plan.primary.metric)}" if plan.primary.min_gain else ""
    endpoints = [(f"{_of(plan.primary.metric, plan.primary.target)}", f"shown to be better than the champion's{gain}")]
    endpoints += [
        (
            _of(one.metric, one.target),
            f"a loss of more than {_figure(one.margin, one.metric)} against the champion is ruled out",
        )
        for one in plan.noninferiority
    ]
    floors = [
        (
            _of(one.metric, one.target),
            f"mean of {'at least' if _points_up(one.metric) else 'at most'} {_figure(one.min_score, one.metric)}",
        )
        for one in plan.floors
    ]
    spent = "" if about.looks_spent is None else f" Spent so far: {about.looks_spent}."
    return Chapter(
        "Modification protocol: performance evaluation",
        (
            (
                "Champion and challenger are scored in one step by the same code on the locked test set, paired by patient. Every line must hold; means are "
                "over patients, and a missed tumor has the worst value."
            ),
            (
                f"At least {plan.min_test_patients} test patients are needed. Each challenger that is judged by them is one look at the test set: who tries often "
                f"enough wins by chance. All {plan.looks} looks together may let in a challenger that is no better with a probability of {plan.alpha:g}; each spends "
                f"a part of it.{spent}"
            ),
            "A challenger that is shown to be no worse, without a shown gain, "
            + ("may become champion." if plan.noninferior_may_enter else "does not become champion."),
        ),
        heads=("endpoint", "what must be shown"),
        rows=(*endpoints, *((name, f"each champion: {words}") for name, words in floors)),
    )


def _impact(plan: ChangePlan, about: Surroundings) -> Chapter:
    safety, groups = plan.safety, plan.subgroups
    first = f"version {about.first_authorized}" if about.first_authorized else "the first authorized version"
    return Chapter(
        "Impact assessment",
        ("What a better mean could hide, and what is done against it.",),
        heads=("harm", "how it is found", "bound"),
        rows=(
            (
                "large tumors are missed that the champion finds",
                (
                    f"lesions of {safety.large_lesion_ml:g} ml and more, found by one model alone: exact one-sided test of McNemar by patient, in all and in each "
                    "group; lower bound of the share that is newly missed"
                ),
                f"p of {safety.max_new_misses_alpha:g} or less, or a share above {MOST_MISSED:g}, refuses",
            ),
            (
                "single patients lose their mask",
                f"cases whose Dice falls by more than {safety.catastrophic_fall:g}: exact upper bound of their share",
                f"at most {safety.max_catastrophic_fraction:g} of patients",
            ),
            (
                "a group of patients pays for the others' gain",
                f"groups by {', '.join(groups.columns) or 'nothing'}, each by itself from {groups.min_patients} patients on",
                f"a loss of at most {groups.margin:g}",
            ),
            (
                "a group that nobody named pays for it",
                "the quarter of patients who fare worst against the champion, whoever they are",
                (
                    f"a loss of at most {SCATTER * groups.margin:g}; {MOST_SCATTER * groups.margin:g} where as many fare as much better, as chance has it"
                ),
            ),
            ("one structure pays for another's gain", "each target for itself, see the endpoints", "their margins"),
            (
                "many small losses add up",
                f"each challenger is held against {first} too, not only against the last champion",
                f"a loss of at most {plan.creep_margin:g}",
            ),
            (
                "models are chosen by the test set",
                "every read of it is in the ledger, and each decision spends a part of alpha",
                f"{plan.looks} looks",
            ),
        ),
    )


def _annex() -> Chapter:
    rows = (
        ("1. General description of the system", "General description; the bundle's model card"),
        (
            "2. Elements and process of development",
            "Modification protocol: data management, re-training; docs/design.md",
        ),
        ("2(f). Changes determined beforehand", "Description of modifications; Impact assessment"),
        ("2(g). Validation and testing", "Modification protocol: performance evaluation; report.html of each version"),
        ("3. Monitoring, functioning and control", "Impact assessment; the service's figures, docs/serving.md"),
        (
            "4. Appropriateness of the performance metrics",
            "Modification protocol: performance evaluation; docs/evaluation.md",
        ),
        ("5. Risk management system", "Impact assessment is a part of it; the rest is the organization's own"),
        ("6. Relevant changes through the lifecycle", "Decisions taken; the ledger"),
        ("7. Standards applied", "the organization's own"),
        ("8. EU declaration of conformity", "the organization's own; none is made here"),
        ("9. Post-market monitoring plan", "the organization's own"),
    )
    return Chapter("Where annex IV of the AI Act is answered", heads=("heading", "where"), rows=rows)


def _of(metric: str, target: str) -> str:
    return f"{head_of(spell_metric(metric))} of {'each target' if target == ALL_TARGETS else target}"


def _points_up(metric: str) -> bool:
    return metric not in METRICS or METRICS[metric].direction > 0


def _figure(value: float, metric: str) -> str:
    unit = METRICS[metric].unit if metric in METRICS else ""
    return f"{value:g}{f' {unit}' if unit else ''}"
