"""Judge the challenger by the change plan, carry the decision out, show it."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from lesionflow.config import PromoteConfig, Settings
from lesionflow.config.change_plan import ChangePlan, read_change_plan, require_fitting
from lesionflow.data.dataset import CASE_COLUMNS
from lesionflow.data.gate_decision import GateDecision
from lesionflow.data.ledger import EntryKind
from lesionflow.errors import ArtifactError, ConfigError, ConflictError
from lesionflow.evaluation.comparison import MetricDifference, compare_tables, of_shared_targets
from lesionflow.evaluation.statistics.test_set_looks import alpha_spent, looks_spent, seen_before_plan
from lesionflow.io.stores.ledger import ledger_path, read_ledger
from lesionflow.io.stores.registrations import Registration, read_registration
from lesionflow.io.stores.splits import read_split
from lesionflow.metrics import ORDERED_METRICS
from lesionflow.registry.succession import (
    bars,
    carry_out,
    current_champion,
    decision_of,
    describe_bar,
    digest_by_ledger,
    fetch_known,
    history,
)
from lesionflow.registry.versions import RegisteredVersion, find_version, list_versions
from lesionflow.steps.experiments import experiment_name, undecided
from lesionflow.steps.promote.admission import Bar
from lesionflow.steps.promote.contest import (
    AUTHORIZED,
    CHALLENGER,
    CHAMPION,
    Contest,
    Spent,
    admit,
    decision_of_judgement,
    judge_scored,
    metrics_of,
    refuse_unadmitted,
)
from lesionflow.steps.promote.decision_records import keep_decision, show_decision
from lesionflow.steps.promote.document_facts import decisions_of
from lesionflow.steps.promote.test_set_scoring import LockedSet, Scored, open_test_set, score_on
from lesionflow.steps.shared_state import share_ledger

#: Another promotion may move the champion while this one scores; then it is judged against the new one, so often.
MOST_TRIES = 3
logger = logging.getLogger(__name__)


class Judged(NamedTuple):
    """A decision that is not carried out yet, and the tables that it was taken by."""

    decision: GateDecision
    scores: Mapping[str, Scored]


def run(
    config: PromoteConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Decide, and make the challenger champion if the change plan's rules hold.

    Both models are fetched from the registry, verified, and scored here by the same code: nothing that the challenger's evaluation says of
    itself counts. The decision stands in the ledger before the alias moves.

    Args:
        config: The model's name, and how the intervals beside the decision are made.
        inputs: `cases`, `splits`, `evaluation`, `registration` and `change_plan`.
        outputs: `promotion`, a JSON file, and `decision`, a page.
        settings: Tracking URI and device.

    Returns:
        `promoted` (0 or 1), `look`, and the figures of the primary endpoint. Within an experiment of DVC nothing is judged.

    Raises:
        ConfigError: When the change plan does not fit the model, or the registration is of another one.
        ArtifactError: When a bundle can't be fetched or is not what was registered, a case can't be scored, or the ledger was altered.
        ServiceError: When MLflow can't be reached.
    """
    plan = read_change_plan(inputs["change_plan"])
    registration = read_registration(inputs["registration"])
    if registration.model_name != config.model_name:
        raise ConfigError(
            f"Expected promote.model_name to be the registered {registration.model_name}, found {config.model_name}."
        )
    if experiment := experiment_name() or registration.experiment:
        keep_decision(outputs, undecided(registration, plan, experiment, settings.tracking_uri))
        logger.warning("%s is an experiment: nobody is judged, the champion stays", experiment)
        return {"promoted": 0.0, "look": 0.0}
    test_set = open_test_set(inputs["cases"], inputs["splits"], read_split(inputs["splits"]))
    ledger = ledger_path(inputs["splits"])
    # All who share the model judge by one change plan.
    share_ledger(inputs["splits"], settings.tracking_uri, change_plan=inputs["change_plan"])
    decision, scores = _decide(config, plan, registration, test_set, ledger, settings)
    share_ledger(inputs["splits"], settings.tracking_uri)
    keep_decision(outputs, decision)
    show_decision(decision, scores, plan, inputs, settings)
    figures = {name: value for name, value in decision.figures.items() if value is not None}
    return {"promoted": float(decision.promote), "look": float(decision.look), **figures}


def _decide(
    config: PromoteConfig,
    plan: ChangePlan,
    registration: Registration,
    test_set: LockedSet,
    ledger: Path,
    settings: Settings,
) -> Judged:
    """Judge and carry out; anew where the champion changed meanwhile."""
    scored: dict[str, Scored] = {}
    for attempt in range(1, MOST_TRIES + 1):
        # What others decided meanwhile counts here too, and this decision there.
        share_ledger(test_set.splits, settings.tracking_uri)
        champion = current_champion(registration.model_name, ledger, settings.tracking_uri)
        if champion is not None and champion.version == registration.version:
            if (kept := _kept_decision(ledger, registration)) is not None:
                # Killed after it was carried out, or run again: the decision stands.
                return Judged(kept, {})
            return Judged(_already(plan, registration, test_set), {})
        if (stands := _standing_decision(plan, registration, champion, test_set)) is not None:
            logger.info("the decision of %s on version %s stands", stands.decided_at, registration.version)
            return Judged(stands, {})
        judged = _judge(config, plan, registration, champion, test_set, ledger, settings, scored)
        facts = judged.decision.model_dump(mode="json")
        try:
            carry_out(
                registration.model_name,
                registration.version,
                champion.version if champion else None,
                {**facts, "promote": judged.decision.promote, "verdict": judged.decision.verdict},
                ledger,
                settings.tracking_uri,
                share=partial(share_ledger, test_set.splits, settings.tracking_uri),
            )
        except ConflictError:
            if attempt == MOST_TRIES:
                raise
            logger.warning("the champion changed while version %s was judged: it is judged anew", registration.version)
            continue
        return judged
    raise ArtifactError(
        "Expected the champion to stay the same for one judgement, found it changed each time. Promote again."
    )


def _judge(
    config: PromoteConfig,
    plan: ChangePlan,
    registration: Registration,
    champion: RegisteredVersion | None,
    test_set: LockedSet,
    ledger: Path,
    settings: Settings,
    scored: dict[str, Scored],
) -> Judged:
    contest = _contest(plan, registration, champion, ledger, settings)
    seen = seen_before_plan(
        read_ledger(ledger),
        registration.bundle_digest,
        plan.digest,
        test_set.sha256,
        test_patients=test_set.patients,
    )
    contest = contest._replace(seen=seen)
    challenger = contest.bundles[CHALLENGER]
    require_fitting(
        plan,
        (target.name for target in challenger.plan.targets),
        ORDERED_METRICS,
        CASE_COLUMNS,
    )
    admitted = admit(contest, plan, test_set)
    if not all(reason.held for reason in admitted):
        return Judged(
            decision_of_judgement(refuse_unadmitted(admitted), plan, registration, contest, test_set, {}, ()), {}
        )
    # Scores are kept by the bundle's digest: who was scored before the champion changed is not scored again.
    wanted = {name: one for name, one in contest.bundles.items() if one.digest not in scored}
    scored |= {
        contest.bundles[name].digest: one for name, one in score_on(test_set, wanted, settings, "promote").items()
    }
    scores = {name: scored[one.digest] for name, one in contest.bundles.items()}
    entries, patients = read_ledger(ledger), test_set.patients
    mine = registration.bundle_digest
    spent = Spent(
        looks_spent(entries, test_set.sha256, challenger=mine, test_patients=patients),
        alpha_spent(entries, test_set.sha256, challenger=mine, test_patients=patients),
    )
    judged = judge_scored(scores, plan, admitted, spent, contest, test_set.table)
    differences = _differences(config, plan, scores)
    return Judged(decision_of_judgement(judged, plan, registration, contest, test_set, scores, differences), scores)


def _contest(
    plan: ChangePlan, registration: Registration, champion: RegisteredVersion | None, ledger: Path, settings: Settings
) -> Contest:
    name, uri = registration.model_name, settings.tracking_uri
    challenger = fetch_known(name, registration.version, ledger, uri)
    if challenger.digest != registration.bundle_digest:
        raise ArtifactError(
            f"Expected version {registration.version} of {name} to be the bundle {registration.bundle_digest:.12} that was registered, found "
            f"{challenger.digest:.12}. Run register again."
        )
    contest = Contest({CHALLENGER: challenger}, None, version=registration.version, barred=_barred(name, ledger, uri))
    if champion is None:
        return contest
    bundles = {CHALLENGER: challenger, CHAMPION: fetch_known(name, champion.version, ledger, uri)}
    contest = contest._replace(bundles=bundles, champion_version=champion.version)
    first = plan.first_authorized_version or next((reign.version for reign in history(read_ledger(ledger), name)), None)
    if first is None or first == champion.version:
        return contest
    if find_version(name, first, uri) is None:
        missing = (
            f"Version {first} of {name}, the first authorized one, is not in MLflow: whether this one fell behind it can't be told. Name another "
            "with first_authorized_version of change_plan.yaml."
        )
        return contest._replace(missing=missing)
    return contest._replace(bundles={**bundles, AUTHORIZED: fetch_known(name, first, ledger, uri)})


def _barred(name: str, ledger: Path, uri: str) -> Mapping[str, Bar]:
    """Return who may not become champion, with the digests that the ledger, or else MLflow, knows of them."""
    entries = read_ledger(ledger)
    there = {version.version: version.bundle_digest for version in list_versions(name, uri)}
    return {
        version: Bar(
            describe_bar(version, entry),
            entry.kind is EntryKind.WITHDRAWAL,
            digest_by_ledger(entries, name, version) or there.get(version, ""),
        )
        for version, entry in bars(entries, name).items()
    }


def _differences(config: PromoteConfig, plan: ChangePlan, scores: Mapping[str, Scored]) -> tuple[MetricDifference, ...]:
    """Say metric by metric how the challenger differs, the primary metric first."""
    champion, challenger = scores.get(CHAMPION), scores[CHALLENGER]
    if champion is None or not set(champion.cases["target"]) & set(challenger.cases["target"]):
        return ()
    return compare_tables(
        *of_shared_targets(champion.cases, challenger.cases),
        metrics_of(plan, challenger.cases),
        confidence_level=config.confidence_level,
    )


def _kept_decision(ledger: Path, registration: Registration) -> GateDecision | None:
    entry = decision_of(read_ledger(ledger), registration.model_name, registration.version)
    if entry is None or "verdict" not in entry.facts:
        return None
    return GateDecision.model_validate(
        {key: value for key, value in entry.facts.items() if key in GateDecision.model_fields}
    )


def _standing_decision(
    plan: ChangePlan,
    registration: Registration,
    champion: RegisteredVersion | None,
    test_set: LockedSet,
) -> GateDecision | None:
    """Return the decision that refused these bytes, against this champion, by this plan and test set: asked again it is the same, for no look."""
    asked = (registration.bundle_digest, champion.version if champion else None, plan.digest, test_set.sha256)
    for kept in reversed(decisions_of(test_set.splits, registration.model_name)):
        by = (kept.bundle_digest, kept.champion_version_before, kept.change_plan_sha256, kept.test_set_sha256)
        if kept.look and not kept.promote and by == asked:
            return kept
    return None


def _already(plan: ChangePlan, registration: Registration, test_set: LockedSet) -> GateDecision:
    """Return the decision of a version that somebody made champion by hand: there is nothing to decide."""
    from lesionflow.evaluation.gate import Reason

    detail = f"Version {registration.version} is the champion already; it was made so by hand."
    reasons = (Reason("already_champion", held=True, detail=detail, figures={}),)
    judged = refuse_unadmitted(reasons)
    decision = decision_of_judgement(judged, plan, registration, Contest({}, registration.version), test_set, {}, ())
    return decision.model_copy(
        update={"verdict": "made champion by hand", "sentence": detail, "champion_version_after": registration.version}
    )
