"""The step `promote`: the challenger becomes champion if it is provably better on the locked test set."""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lesionflow.cohort.splitting import digest_of_test_set
from lesionflow.config import PromoteConfig, Settings
from lesionflow.data.case import Case
from lesionflow.data.split import Split
from lesionflow.errors import ConfigError
from lesionflow.evaluation.comparison import MetricDifference, compare_tables
from lesionflow.evaluation.gate import PromotionDecision, PromotionRules, Reason, decide
from lesionflow.io.files import write_text
from lesionflow.io.stores.cases import read_case, read_dataset, read_table
from lesionflow.io.stores.evaluations import read_about, read_scores
from lesionflow.io.stores.ledger import ledger_path, note_read
from lesionflow.io.stores.registrations import Registration, read_registration
from lesionflow.io.stores.splits import read_split
from lesionflow.metrics import HEADLINE, METRICS
from lesionflow.registry.models import CHAMPION, PREVIOUS, fetch_bundle, find_version, set_champion
from lesionflow.registry.tracking import Tracker
from lesionflow.registry.versions import RegisteredVersion, tag_version
from lesionflow.steps.revision import code_revision

logger = logging.getLogger(__name__)


def run(
    config: PromoteConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Decide, and move the alias `champion` if the challenger won.

    The champion is scored anew on the present test set by the code that scored the challenger.

    Args:
        config: The rules.
        inputs: `cases`, `splits`, `evaluation` and `registration`.
        outputs: `promotion`, a JSON file.
        settings: Tracking URI and device.

    Returns:
        `promoted` (0 or 1), and the figures of the rules.

    Raises:
        ConfigError: When the metric is unknown, or the registration is of another model.
        ArtifactError: When the evaluation is not of the registered bundle, or the champion can't be fetched.
        ServiceError: When MLflow can't be reached.
    """
    rules = _rules(config)
    differences: tuple[MetricDifference, ...] = ()
    registration = read_registration(inputs["registration"])
    if registration.model_name != config.model_name:
        message = (
            f"Expected promote.model_name to be the registered {registration.model_name}, found {config.model_name}."
        )
        raise ConfigError(message)
    champion = find_version(config.model_name, CHAMPION, settings.tracking_uri)
    before = champion.version if champion else None
    if before == registration.version:
        # A step that was killed after it moved the alias, or is run again: the decision stands.
        previous = find_version(config.model_name, PREVIOUS, settings.tracking_uri)
        before = previous.version if previous else None
        detail = f"Version {registration.version} is the champion already."
        decision = PromotionDecision(
            promote=True, reasons=(Reason("already_champion", held=True, detail=detail, figures={}),)
        )
    else:
        decision, differences = _decide(rules, registration, champion, inputs, settings)
    if decision.promote:
        set_champion(config.model_name, registration.version, settings.tracking_uri)
    against = (
        f"{differences[0].sentence(rules.confidence_level)} ({rules.metric}, version {before})" if differences else ""
    )
    _record(decision, registration, inputs["cases"], settings, against)
    write_text(outputs["promotion"], _promotion_json(decision, registration, before, differences))
    return _figures(decision)


def _decide(
    rules: PromotionRules,
    registration: Registration,
    champion: RegisteredVersion | None,
    inputs: Mapping[str, Path],
    settings: Settings,
) -> tuple[PromotionDecision, tuple[MetricDifference, ...]]:
    split = read_split(inputs["splits"])
    evaluation = read_about(inputs["evaluation"], registration.bundle_digest)
    scores = read_scores(inputs["evaluation"], rules.metric)
    theirs = None if champion is None else _score_champion(champion, inputs, split, settings)
    same = _is_same_test_set(evaluation, scores, inputs["cases"], split)
    decision = decide(scores, theirs, rules, same_test_set=same)
    if theirs is None or not decision.reasons[0].held:
        return decision, ()
    return decision, _compare(theirs, scores, rules)


def _compare(champion: pd.DataFrame, challenger: pd.DataFrame, rules: PromotionRules) -> tuple[MetricDifference, ...]:
    """Say metric by metric how the challenger differs, the gate's own metric first."""
    names = (rules.metric, *(name for name in HEADLINE if name != rules.metric and name in challenger))
    return compare_tables(
        champion,
        challenger,
        names,
        n_bootstrap=rules.n_bootstrap,
        confidence_level=rules.confidence_level,
        seed=rules.seed,
    )


def _rules(config: PromoteConfig) -> PromotionRules:
    metric = METRICS.get(config.metric)
    if metric is None or metric.direction == 0:
        ordered = ", ".join(name for name, entry in METRICS.items() if entry.direction)
        raise ConfigError(f"Expected promote.metric to be one of {ordered}, found {config.metric}.")
    return PromotionRules(direction=metric.direction, **config.model_dump(exclude={"model_name"}))


def _score_champion(
    champion: RegisteredVersion, inputs: Mapping[str, Path], split: Split, settings: Settings
) -> pd.DataFrame:
    from lesionflow.evaluation.scoring import score_bundle

    logger.info("scoring the champion, version %s, on %d cases", champion.version, len(split.test))
    bundle = fetch_bundle(champion.model_name, champion.version, settings.tracking_uri)
    cases = inputs["cases"]
    table = read_table(cases)
    facts = {
        "step": "promote",
        "bundle_digest": bundle.digest,
        "run_id": bundle.card.run_id,
        "test_set_sha256": _digest_of_test_set(cases, split),
        "n_cases": len(split.test),
        "code_revision": code_revision(),
    }
    note_read(ledger_path(inputs["splits"]), facts)
    patients = dict(zip(table["case_id"], table["patient_id"], strict=True))

    def read(case_id: str) -> Case:
        return read_case(cases, case_id, patients[case_id])

    return score_bundle(bundle, read, split.test, device=settings.device).cases


def _is_same_test_set(evaluation: Mapping[str, Any], scores: pd.DataFrame, cases: Path, split: Split) -> bool:
    digest = _digest_of_test_set(cases, split)
    return evaluation.get("test_set_sha256") == digest and set(scores["case_id"]) == set(split.test)


def _digest_of_test_set(cases: Path, split: Split) -> str:
    table = read_table(cases)
    hashes = {
        str(row.case_id): (str(row.image_sha256), str(row.mask_sha256))
        for row in table[["case_id", "image_sha256", "mask_sha256"]].itertuples(index=False)
    }
    return digest_of_test_set(split, hashes)


def _record(
    decision: PromotionDecision, registration: Registration, cases: Path, settings: Settings, against: str
) -> None:
    """Say the decision where reviewers look: at the version and at the run."""
    broken = [reason.rule for reason in decision.reasons if not reason.held]
    tags = {"promotion": "promoted" if decision.promote else f"refused: {', '.join(broken)}"}
    for reason in decision.reasons:
        logger.info("%s %s: %s", "held" if reason.held else "NOT HELD", reason.rule, reason.detail)
        tags[f"promotion.{reason.rule}"] = f"{'held' if reason.held else 'not held'}: {reason.detail}"
    if against:
        tags["against_champion"] = against
        logger.info("against the champion: %s", against)
    tag_version(registration.model_name, registration.version, tags, settings.tracking_uri)
    tracker = Tracker(settings.tracking_uri, read_dataset(cases).name)
    if tracker.has_run(registration.run_id):
        tracker.set_tags(registration.run_id, tags)


def _promotion_json(
    decision: PromotionDecision,
    registration: Registration,
    before: str | None,
    differences: tuple[MetricDifference, ...],
) -> str:
    content = {
        "promote": decision.promote,
        "reasons": [{**r._asdict(), "figures": _finite(r.figures)} for r in decision.reasons],
        "against_champion": [_finite(difference._asdict()) for difference in differences],
        "model_name": registration.model_name,
        "challenger_version": registration.version,
        "champion_version_before": before,
        "champion_version_after": registration.version if decision.promote else before,
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in figures.items()}


def _figures(decision: PromotionDecision) -> dict[str, float]:
    figures = {name: value for reason in decision.reasons for name, value in reason.figures.items()}
    return {"promoted": float(decision.promote), **figures}
