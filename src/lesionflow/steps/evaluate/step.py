"""Score the candidate on the locked test cases: whole volumes, in each study's own space."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lesionflow.cohort.splitting import digest_of_test_set
from lesionflow.config import EvaluateConfig, Settings
from lesionflow.data.bundle import Bundle
from lesionflow.data.case import Case
from lesionflow.data.split import Split
from lesionflow.errors import ArtifactError, ServiceError
from lesionflow.evaluation.cards.cohort_description import describe_cohort
from lesionflow.evaluation.comparison import of_shared_targets, require_comparable
from lesionflow.evaluation.figures import overlay_planes
from lesionflow.evaluation.page import Picture
from lesionflow.evaluation.results import ChampionScores, Sampling, summarize
from lesionflow.evaluation.scoring import score_bundle
from lesionflow.inference import Segmentation
from lesionflow.io.files import replacing_folder
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.io.stores.cases import read_case, read_table
from lesionflow.io.stores.evaluations import StoredEvaluation
from lesionflow.io.stores.ledger import ledger_path, note_read
from lesionflow.io.stores.splits import read_split
from lesionflow.metrics import HEADLINE
from lesionflow.registry.evaluations import fetch_evaluation, find_champion, read_run_file
from lesionflow.registry.tracking import Tracker
from lesionflow.steps.evaluate.outcome import Outcome, log_outcome, write_outcome
from lesionflow.steps.evaluate.plan_in_sight import plan_in_sight
from lesionflow.steps.evaluate.unlogged import KeptScores, find_unlogged, mark_unlogged
from lesionflow.steps.revision import code_revision
from lesionflow.steps.shared_state import share_ledger

CURVES = "training/curves.png"
logger = logging.getLogger(__name__)


def run(
    config: EvaluateConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Write `reports/evaluation/` and log it to the run that trained the bundle.

    The champion's scores, where MLflow has them for the same test set, are compared with; nothing is scored again here.

    Args:
        config: How intervals are made and how many cases are shown.
        inputs: `cases`, `splits` and `bundle`.
        outputs: `evaluation`, a folder.
        settings: Device and tracking URI.

    Returns:
        `test_dice` with its interval, `n_cases`.

    Raises:
        ArtifactError: When the bundle is harmed, a test case can't be scored, or the test set is not the one that the registered model shares.
        ServiceError: When MLflow can't be reached.
    """
    bundle, split = read_bundle(inputs["bundle"]), read_split(inputs["splits"])
    cases = read_table(inputs["cases"])
    hashes = {r.case_id: (r.image_sha256, r.mask_sha256) for r in cases.itertuples()}
    about: dict[str, Any] = {
        "bundle_digest": bundle.digest,
        "run_id": bundle.card.run_id,
        "test_set_sha256": digest_of_test_set(split, hashes),
        "n_cases": len(split.test),
    }
    # All that is asked of MLflow is asked before anything is scored: a fault of it costs no score.
    tracker = Tracker(settings.tracking_uri, bundle.card.tracking_experiment)
    known = tracker.has_run(bundle.card.run_id)
    rival = _find_champion(tracker, about)
    curves = read_run_file(settings.tracking_uri, bundle.card.run_id, CURVES) if known else None
    scores, pictures = find_unlogged(outputs["evaluation"], about) or _score(
        bundle, split, cases, inputs, about, settings
    )
    champion, champion_note = _compare_with(rival, scores.cases)
    sampling = Sampling(config.n_bootstrap, config.confidence_level, config.seed)
    outcome = Outcome(
        bundle=bundle,
        scores=scores,
        results=summarize(scores, cases, tuple(t.name for t in bundle.plan.targets), sampling, champion),
        about=about,
        pictures=pictures,
        champion=champion,
        champion_note=champion_note,
        curves=curves,
        confidence_level=config.confidence_level,
        n_worst_cases=config.n_worst_cases,
        data=_facts(bundle, cases, scores.cases, about["test_set_sha256"]),
        cohort={
            "trained": describe_cohort(cases, bundle.card.trained_cases),
            "tested": describe_cohort(cases, split.test),
        },
    )
    return _finish(outcome, tracker, outputs["evaluation"], known=known)


def _score(
    bundle: Bundle,
    split: Split,
    cases: pd.DataFrame,
    inputs: Mapping[str, Path],
    about: Mapping[str, Any],
    settings: Settings,
) -> KeptScores:
    patients = dict(zip(cases["case_id"], cases["patient_id"], strict=True))
    pictures: dict[str, bytes] = {}

    def read(case_id: str) -> Case:
        return read_case(inputs["cases"], case_id, patients[case_id])

    def draw(case: Case, found: Segmentation, rows: list[dict[str, Any]]) -> None:
        dice = ", ".join(f"Dice {row['target']} {row['dice']:.3f}" for row in rows)
        kinds = tuple(channel.kind for channel in bundle.plan.channels)
        pictures[case.case_id] = overlay_planes(case, found.mask, kinds, f"{case.case_id}: {dice}")

    # Shared before and after: the read stands on what others have noted, and they see it before a case is read.
    share_ledger(inputs["splits"], settings.tracking_uri)
    facts = {**about, "code_revision": code_revision(), "test_patients": split.test_patients}
    facts |= plan_in_sight(inputs["splits"], bundle)
    note_read(ledger_path(inputs["splits"]), {"step": "evaluate", **facts})
    share_ledger(inputs["splits"], settings.tracking_uri)
    return KeptScores(score_bundle(bundle, read, split.test, device=settings.device, on_case=draw), pictures)


def _finish(outcome: Outcome, tracker: Tracker, output: Path, *, known: bool) -> dict[str, float]:
    drawn = outcome.plots()
    with replacing_folder(output) as folder:
        write_outcome(folder, outcome, drawn)
    if known:
        _log(outcome, tracker, output, drawn)
    else:
        run_id = outcome.bundle.card.run_id or "(none)"
        logger.warning(
            "The run %s that trained this bundle is not in this MLflow store, or was deleted there; nothing is logged.",
            run_id,
        )
    dice = next(iter(outcome.results.values())).estimates["dice"]
    logger.info("Test Dice %.3f [%.3f, %.3f], %d patients.", dice.mean, dice.low, dice.high, dice.n)
    logger.info("Against the champion: %s", outcome.against_champion())
    return {
        "test_dice": dice.mean,
        "test_dice_low": dice.low,
        "test_dice_high": dice.high,
        "n_cases": float(outcome.about["n_cases"]),
    }


def _log(outcome: Outcome, tracker: Tracker, output: Path, drawn: Mapping[str, Mapping[str, Picture]]) -> None:
    """Show the evaluation in MLflow; where that fails, it stays on disk and is shown by the same command given again."""
    try:
        log_outcome(tracker, output, outcome, drawn)
    except ServiceError as error:
        mark_unlogged(output, str(error))
        raise ServiceError(
            f"{error} The scores are made and written to {output.name}; the same command given again shows them in MLflow without making "
            "them anew."
        ) from error


def _find_champion(tracker: Tracker, about: Mapping[str, Any]) -> StoredEvaluation | str:
    """Return the champion's evaluation on this test set, or why there is none."""
    found = find_champion(tracker.tracking_uri, tracker.experiment_id)
    if found is None:
        return "There is no champion to compare with yet."
    run_id, name = found
    try:
        champion = fetch_evaluation(tracker.tracking_uri, run_id, name)
    except ArtifactError as error:
        return f"The champion, {name}, can't be compared with here: {error}"
    if champion.bundle_digest == about["bundle_digest"]:
        return f"This model is the champion, {name}."
    if champion.test_set_sha256 != about["test_set_sha256"]:
        return f"The champion, {name}, was scored on another test set: nothing is compared here. The decision compares both on this one."
    return champion


def _compare_with(rival: StoredEvaluation | str, ours: pd.DataFrame) -> tuple[ChampionScores | None, str]:
    if isinstance(rival, str):
        return None, rival
    try:
        require_comparable(*of_shared_targets(rival.cases, ours), HEADLINE)
    except ArtifactError as error:
        return None, f"The champion, {rival.name}, can't be compared with here: {error}"
    return ChampionScores(rival.name, rival.cases), ""


def _facts(
    bundle: Bundle, cases: pd.DataFrame, scores: pd.DataFrame, test_set_sha256: str
) -> tuple[tuple[str, str], ...]:
    """Return what a reviewer asks of the test data."""
    test = cases[cases["case_id"].isin(scores["case_id"])]
    sizes = scores.loc[scores["target"] == bundle.plan.targets[0].name, "reference_ml"]
    slices = test["spacing_slice_mm"].dropna()
    spacing = f"{slices.min():.2g} to {slices.max():.2g} mm" if len(slices) else "unknown"
    channels = ", ".join(f"{channel.name} ({channel.kind})" for channel in bundle.plan.channels)
    return (
        ("dataset", bundle.plan.dataset.name),
        ("channels", channels),
        ("test cases", f"{len(test)} cases of {test['patient_id'].nunique()} patients"),
        ("test set (sha256)", test_set_sha256),
        ("slice spacing", spacing),
        ("tumor volume", f"median {sizes.median():.1f} ml, {sizes.min():.1f} to {sizes.max():.1f} ml"),
        ("cases without a tumor", str(int((sizes == 0).sum()))),
    )
