"""What is asked before anything is scored: may these two models be compared, and may this one follow that one?"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from lesionflow.cohort.leaks import Leak, find_leaks
from lesionflow.config.change_plan import Change, ChangePlan
from lesionflow.data.bundle import Ancestor, Bundle
from lesionflow.data.ledger import EntryKind, LedgerEntry
from lesionflow.errors import ArtifactError
from lesionflow.evaluation.gate import Reason
from lesionflow.io.signing.bundle_manifest import require_trusted

#: Leaks told in a sentence; the number of all is told too.
MOST_TOLD = 3


class Bar(NamedTuple):
    """Why a version may not become champion: in words that follow "is", whether a withdrawal is why, and which bundle the version is."""

    words: str
    withdrawn: bool
    bundle_digest: str


def not_learned_from(name: str, bundle: Bundle, test: Sequence[str], table: pd.DataFrame) -> Reason:
    """Say whether a model, or one that it started from, has learned from a test patient or a near-duplicate of one.

    Args:
        name: What people call the model: `challenger`, `champion`.
        bundle: Its card lists the cases.
        test: The locked test cases.
        table: The case table.
    """
    card = bundle.card
    sources = [
        Ancestor(source=name, digest=bundle.digest, learned_cases=card.learned_cases, cases_known=True),
        *card.line,
    ]
    told: list[str] = []
    n_leaks, n_gone, there = 0, 0, set(table["case_id"].astype(str))
    for source in sources:
        leaks = find_leaks(set(source.learned_cases), test, table)
        n_leaks += len(leaks)
        n_gone += len(set(source.learned_cases) - there)
        who = f"the {name}" if source is sources[0] else f"{source.source}, which the {name} started from,"
        told += [_told(who, leaks)] if leaks else []
    hidden = [one.source for one in sources if one.may_know_patients]
    rule, figures = f"not_learned_from:{name}", {"n_leaks": float(n_leaks), "n_cases_gone": float(n_gone)}
    if told:
        detail = f"{' '.join(told)} A score on what was learned says nothing: train without these patients, or renew the test set."
        return Reason(rule, held=False, detail=detail, figures=figures, refuses=True)
    if card.learned_from == "unknown":
        detail = (
            f"What the {name} learned from is not known as a whole, so that nobody can say whether the test patients were among it. State its training "
            "cases when it is imported, or test on patients that are newer than it."
        )
        return Reason(rule, held=False, detail=detail, figures=figures, refuses=True)
    if hidden:
        detail = (
            f"What {', '.join(hidden)} had learned from is not known, and the {name} started from it, so that nobody can say whether the test patients "
            "were among it. Start from a model whose card lists its cases, train from scratch (`train.transfer.source: none`), or answer for it: "
            "`lesionflow models promote VERSION --name NAME --reason REASON`."
        )
        return Reason(rule, held=False, detail=detail, figures=figures, refuses=True)
    detail = f"No test patient, and no near-duplicate of one, is among the {len(card.learned_cases)} cases that the {name} learned from."
    if card.learned_from == "stated":
        detail += " Its cases are those that somebody stated."
    if card.line:
        detail += f" Nor among those of the {'model' if len(card.line) == 1 else f'{len(card.line)} models'} that it started from."
    if n_gone:
        detail += f" {n_gone} of its cases are no longer in the case table and were compared by their id alone."
    return Reason(rule, held=True, detail=detail, figures=figures)


def not_barred(version: str, challenger: Bundle, barred: Mapping[str, Bar]) -> Reason:
    """Say whether a challenger may become champion: neither barred itself, nor begun with weights that know a withdrawn patient.

    Args:
        version: The challenger's number.
        challenger: Its card lists what training started from.
        barred: The bars by version, as the ledger has them.
    """
    detail = (
        f"Version {version} is not barred, and nothing that it started from learned from a patient who was withdrawn."
    )
    known = {bar.bundle_digest: number for number, bar in barred.items() if bar.withdrawn and bar.bundle_digest}
    started = [known[one.digest] for one in challenger.card.line if one.digest in known]
    if version in barred:
        detail = f"The challenger is {barred[version].words}"
    elif started:
        detail = (
            f"Version {version} began with the weights of version {started[0]}, which learned from a patient who was withdrawn since. Train without them "
            f"(`lesionflow retrain --from scratch`), or answer for it: `lesionflow models promote {version} --name NAME --reason REASON`."
        )
    held = version not in barred and not started
    return Reason("not_barred", held, detail, {"n_barred": float(len(barred))}, refuses=True)


def plan_came_first(version: str, seen: LedgerEntry | None, plan: ChangePlan) -> Reason:
    """Say whether the change plan was there before anybody knew the challenger's figures: else it may have been made for them.

    Args:
        version: The challenger's number.
        seen: The entry of the ledger by which they were known before, from `seen_before_plan`.
        plan: The change plan.
    """
    if seen is None:
        detail = f"Nobody had judged version {version} before there was version {plan.version} of the change plan."
        return Reason("plan_came_first", held=True, detail=detail, figures={}, refuses=True)
    before = seen.facts.get("change_plan_version")
    under = f"version {before}" if before else "the one before it"
    detail = (
        f"Version {plan.version} of the change plan ({plan.digest:.12}) was made after this challenger was judged: entry {seen.sequence} of the ledger "
        f"({'read' if seen.kind is EntryKind.TEST_READ else 'decided'} on {seen.at:.10}) is by {under} ({seen.facts.get('change_plan_sha256') or 'not told'!s:.12}). Judge it by "
        f"that plan, train anew, or answer for it: `lesionflow models promote {version} --name NAME --reason REASON`."
    )
    return Reason("plan_came_first", held=False, detail=detail, figures={}, refuses=True)


def changes_between(challenger: Bundle, champion: Bundle) -> tuple[Change, ...]:
    """Tell in which parts a challenger differs from the champion."""
    ours, theirs = challenger.plan, champion.plan
    parts = {
        "dataset",
        "decisions",
        "architecture",
        "coarse",
        "spacing_mm",
        "channels",
        "denoising",
        "bias_field_correction",
        "format",
    }
    rest = [plan.model_dump(mode="json", exclude=parts) for plan in (ours, theirs)]
    prepared = [
        plan.model_dump(mode="json", include={"spacing_mm", "channels", "denoising", "bias_field_correction"})
        for plan in (ours, theirs)
    ]
    cards = (challenger.card, champion.card)
    differs = {
        Change.DATA: cards[0].data_revision != cards[1].data_revision
        or cards[0].learned_cases != cards[1].learned_cases,
        Change.TRAINING: cards[0].train_params != cards[1].train_params,
        Change.PLAN: rest[0] != rest[1],
        Change.ARCHITECTURE: (ours.architecture, ours.dimensions, ours.coarse is None)
        != (theirs.architecture, theirs.dimensions, theirs.coarse is None),
        Change.PREPROCESSING: prepared[0] != prepared[1],
        Change.TARGETS: ours.targets != theirs.targets,
    }
    return tuple(change for change, found in differs.items() if found)


def change_permitted(challenger: Bundle, champion: Bundle, plan: ChangePlan) -> Reason:
    """Say whether the challenger differs from the champion in nothing but what the change plan lets change."""
    changed = changes_between(challenger, champion)
    wrong = [change.value for change in changed if change not in plan.what_may_change]
    named = ", ".join(change.value for change in changed) or "nothing"
    detail = f"Changed against the champion: {named}."
    if wrong:
        detail += (
            f" The change plan does not let {', '.join(wrong)} change: that is a new version of the plan (`what_may_change`), which somebody "
            "must answer for, not a retrain."
        )
    return Reason("change_permitted", not wrong, detail, {"n_changes": float(len(changed))}, refuses=True)


def same_meaning(challenger: Bundle, champion: Bundle) -> Reason:
    """Say whether targets of one name unite the same labels in both models: else each would be scored against another reference."""
    theirs = {target.name: sorted(target.labels) for target in champion.plan.targets}
    other = [
        f"{target.name} ({sorted(target.labels)}, of the champion {theirs[target.name]})"
        for target in challenger.plan.targets
        if theirs.get(target.name, sorted(target.labels)) != sorted(target.labels)
    ]
    detail = "Targets of one name are of the same labels in both models."
    if other:
        detail = f"Of one name, but of other labels: {', '.join(other)}. Both would be scored against references of their own: give it another name."
    return Reason("same_meaning", not other, detail, {"n_other": float(len(other))}, refuses=True)


def trusted(name: str, bundle: Bundle, plan: ChangePlan) -> Reason:
    """Say whether somebody who counts vouches for a model's bytes, as far as the change plan asks for it."""
    try:
        require_trusted(bundle.seal, unsigned_bundles=plan.unsigned_bundles, name=f"the {name}")
    except ArtifactError as error:
        return Reason(f"trusted:{name}", held=False, detail=str(error), figures={}, refuses=True)
    allowed = "" if bundle.seal.trusted else "; the change plan allows that"
    return Reason(f"trusted:{name}", held=True, detail=f"The {name} is {bundle.seal.in_words()}{allowed}.", figures={})


def _told(who: str, leaks: Sequence[Leak]) -> str:
    shown = "; ".join(
        f"{leak.test_case} ({leak.how}{f' as {leak.learned_case}' if leak.learned_case not in ('', leak.test_case) else ''})"
        for leak in leaks[:MOST_TOLD]
    )
    more = f" and {len(leaks) - MOST_TOLD} more" if len(leaks) > MOST_TOLD else ""
    return f"{who[0].upper()}{who[1:]} has learned from {len(leaks)} of the test cases: {shown}{more}."
