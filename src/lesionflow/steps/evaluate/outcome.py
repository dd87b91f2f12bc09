"""What `evaluate` found, written to its folder and shown in MLflow."""

import json
import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lesionflow.config.names import key_of
from lesionflow.data.bundle import Bundle
from lesionflow.evaluation import plots
from lesionflow.evaluation.empty_masks import outcomes
from lesionflow.evaluation.figures import to_array
from lesionflow.evaluation.page import Picture
from lesionflow.evaluation.reliability import LEAST_PROBABILITY
from lesionflow.evaluation.report import ReportContent, render_report
from lesionflow.evaluation.result_json import (
    MISSES,
    PARTIAL,
    froc_table,
    headline_json,
    headline_markdown,
    metrics_json,
    nnunet_summary,
)
from lesionflow.evaluation.results import ChampionScores, TargetResult
from lesionflow.evaluation.scoring import Scores
from lesionflow.io.stores.evaluations import (
    ABOUT,
    BINS,
    COHORT,
    DETECTIONS,
    HEADLINE_FILE,
    METRICS_FILE,
    NNUNET_SUMMARY,
    OVERLAYS,
    PLOTS,
    REPORT,
    write_tables,
)
from lesionflow.metrics import HEADLINE
from lesionflow.registry.tracking import Tracker

#: The image that a step runs in, where an orchestrator names it.
IMAGE_VARIABLE = "LESIONFLOW_IMAGE"
#: What the list of runs shows of each target, and how the runs were trained.
METRICS_SHOWN = (
    "dice", "dice_low", "dice_high", "hd95_mm", "hd95_mm_n_cases", "lesion_precision", "lesion_recall",
    "n_missed_cases", "n_false_alarm_cases",
)  # fmt: skip
PARAMS_SHOWN = ("plan.architecture.name", "train.loss", "train.folds")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that `evaluate` found.

    Args:
        bundle: The model.
        scores: Tables of cases, lesions and detections.
        results: By target.
        about: What was evaluated, for `evaluation.json`.
        pictures: A PNG a case.
        champion: The champion, where it can be compared with.
        champion_note: Why not, otherwise.
        curves: The training's curves as PNG, None where they are not known.
        confidence_level: Of all intervals.
        n_worst_cases: Pictures in the report.
        data: Facts about the test data.
        cohort: Of whom the data are, `trained` and `tested`, each as `describe_cohort` counts.
    """

    bundle: Bundle
    scores: Scores
    results: Mapping[str, TargetResult]
    about: Mapping[str, Any]
    pictures: Mapping[str, bytes]
    champion: ChampionScores | None
    champion_note: str
    curves: bytes | None
    confidence_level: float
    n_worst_cases: int
    data: tuple[tuple[str, str], ...]
    cohort: Mapping[str, Any]

    def plots(self) -> dict[str, dict[str, Picture]]:
        """Draw the pictures of all cases together, by target and name."""
        return {target: self._plots_of(target) for target in self.results}

    def against_champion(self) -> str:
        """Say in a sentence how the first target's Dice compares."""
        differences = next(iter(self.results.values())).differences
        dice = next((d for d in differences if d.metric == "dice"), None)
        if dice is None or self.champion is None:
            return self.champion_note
        return f"{dice.sentence(self.confidence_level)} (Dice, {self.champion.name})"

    def _plots_of(self, target: str) -> dict[str, Picture]:
        table, result = _of(self.scores.cases, target), self.results[target]
        words = "voxels of all cases by reference and prediction, share of each row"
        found = {
            "confusion": Picture(f"Confusion matrix: {words}", plots.confusion_matrix(table, target)),
            "dice_by_size": Picture("Dice of each case by the tumor's size", plots.dice_by_size(table)),
            "volumes": Picture("Bland-Altman: error of the volume by its size", plots.bland_altman(table)),
        }
        if result.froc is not None:
            words = f"FROC: {result.froc.n_lesions} lesions in {result.froc.n_cases} cases, by threshold of probability"
            found["froc"] = Picture(words, plots.froc_plot(result.froc, self.confidence_level))
        if result.reliability.bins:
            words = f"Reliability: voxels of {LEAST_PROBABILITY:.0%} and more, by what the model says and what they are"
            found["reliability"] = Picture(words, plots.reliability_plot(result.reliability))
        if self.champion is not None:
            theirs = _of(self.champion.cases, target)
            words = f"Each case with {self.champion.name} and with this model"
            found["slope"] = Picture(words, plots.slope_plot(table, theirs, "champion"))
        return found


def write_outcome(folder: Path, outcome: Outcome, drawn: Mapping[str, Mapping[str, Picture]]) -> None:
    """Write tables, figures, JSON files and the report into a folder."""
    write_tables(folder, {"cases": outcome.scores.cases, "lesions": outcome.scores.lesions})
    outcome.scores.detections.to_parquet(folder / DETECTIONS, index=False)
    outcome.scores.bins.to_parquet(folder / BINS, index=False)
    _write_json(folder / ABOUT, {**outcome.about, "against_champion": outcome.against_champion()})
    _write_json(folder / COHORT, outcome.cohort)
    _write_json(folder / METRICS_FILE, metrics_json(outcome.results))
    _write_json(folder / HEADLINE_FILE, headline_json(outcome.results))
    targets = outcome.bundle.plan.targets
    _write_json(folder / NNUNET_SUMMARY, nnunet_summary(outcome.scores.cases, targets))
    curves = [froc_table(result.froc).assign(target=target) for target, result in outcome.results.items()]
    pd.concat(curves).to_csv(folder / "froc.csv", index=False)
    (folder / PLOTS).mkdir()
    for target, pictures in drawn.items():
        for name, picture in pictures.items():
            (folder / PLOTS / f"{name}_{key_of(target)}.png").write_bytes(picture.png)
    (folder / OVERLAYS).mkdir()
    for case_id, png in outcome.pictures.items():
        (folder / OVERLAYS / f"{case_id}.png").write_bytes(png)
    (folder / REPORT).write_text(_report(outcome, drawn), encoding="utf-8")


def log_outcome(tracker: Tracker, folder: Path, outcome: Outcome, drawn: Mapping[str, Mapping[str, Picture]]) -> None:
    """Show the evaluation in the run that trained the model, where reviewers compare runs."""
    run_id = outcome.bundle.card.run_id
    metrics = _logged_metrics(outcome.results)
    tracker.log_metrics(run_id, metrics)
    view = tracker.share_view(metrics=_shown(metrics), params=PARAMS_SHOWN)
    logger.info("all runs side by side: `lesionflow ui` shows them, at /%s", view)
    tags = {"against_champion": outcome.against_champion(), "test_set_sha256": outcome.about["test_set_sha256"]}
    if image := os.environ.get(IMAGE_VARIABLE):
        tags["container"] = image
    tracker.set_tags(run_id, tags)
    note = headline_markdown(outcome.results, outcome.against_champion(), outcome.confidence_level)
    tracker.describe(run_id, f"[All runs side by side]({view})\n\n{note}")
    cases = outcome.scores.cases
    # JSON has neither NaN nor infinity: what was missed or made up is said in words.
    tracker.log_table(run_id, figures_first(cases.assign(masks=outcomes(cases))), "test_cases.json")
    tracker.log_table(run_id, outcome.scores.lesions, "test_lesions.json")
    differences = [d for result in outcome.results.values() for d in result.differences]
    if differences:
        tracker.log_table(run_id, pd.DataFrame(differences), "against_champion.json")
    for case_id, png in outcome.pictures.items():
        tracker.log_image(run_id, to_array(png), key=f"cases/{case_id}")
    for target, pictures in drawn.items():
        for name, picture in pictures.items():
            tracker.log_image(run_id, to_array(picture.png), key=f"{name}/{key_of(target)}")
    dataset = f"{outcome.bundle.plan.dataset.name}-test"
    tracker.log_dataset(run_id, name=dataset, digest=outcome.about["test_set_sha256"], context="testing")
    tracker.log_artifacts(run_id, folder, "evaluation")


def figures_first(cases: pd.DataFrame) -> pd.DataFrame:
    """Put what a reviewer compares at the front: the UI lays two runs' tables side by side by the second column.

    Args:
        cases: A row a case and target.

    Returns:
        The same with the case first, then the headline metrics, then the rest.
    """
    front = ["case_id", *(name for name in HEADLINE if name in cases)]
    return cases[[*front, *(name for name in cases if name not in front)]]


def _report(outcome: Outcome, drawn: Mapping[str, Mapping[str, Picture]]) -> str:
    bundle = outcome.bundle
    worst = outcome.scores.cases.groupby("case_id")["dice"].mean().sort_values(kind="stable")
    pictures = [
        (case_id, Picture(f"Case {case_id}", outcome.pictures[case_id]))
        for case_id in worst.index[: outcome.n_worst_cases]
    ]
    return render_report(
        ReportContent(
            title=f"Evaluation: {bundle.plan.architecture.name} on {bundle.plan.dataset.name}",
            plan=bundle.plan,
            card=bundle.card,
            cases=outcome.scores.cases,
            results=outcome.results,
            plots={target: list(pictures.values()) for target, pictures in drawn.items()},
            worst=pictures,
            training=None if outcome.curves is None else Picture("Loss and Dice by epoch", outcome.curves),
            champion=outcome.champion.name if outcome.champion else None,
            champion_note=outcome.champion_note,
            confidence_level=outcome.confidence_level,
            data=outcome.data,
        )
    )


def _logged_metrics(results: Mapping[str, TargetResult]) -> dict[str, float]:
    """Name figures so that they sort: `test/dice`, `test/dice_high`, `test/dice_low`; by target where there are several."""
    metrics: dict[str, float] = {}
    for target, result in results.items():
        prefix = "test" if len(results) == 1 else f"test/{key_of(target)}"
        for name, estimate in result.estimates.items():
            metrics[f"{prefix}/{name}"] = estimate.mean
            if name in HEADLINE:
                metrics |= {f"{prefix}/{name}_low": estimate.low, f"{prefix}/{name}_high": estimate.high}
            if name in PARTIAL:
                metrics[f"{prefix}/{name}_n_cases"] = estimate.n_finite
        metrics |= {f"{prefix}/{name}": getattr(result, name) for name in MISSES}
        if (tumors := result.tumors_alone("dice")) is not None:
            metrics[f"{prefix}/dice_with_tumor"] = tumors.mean
        if result.froc is not None:
            metrics[f"{prefix}/froc_score"] = result.froc.score
        held = result.reliability
        metrics |= {
            f"{prefix}/ece": held.ece.mean,
            f"{prefix}/volume_interval_coverage": held.coverage.mean,
            f"{prefix}/predicted_dice_error": held.dice_error.mean,
            f"{prefix}/failures_auroc": held.ranking.area,
            f"{prefix}/unseen_tumor_fraction": held.unseen.mean,
        }
    return {name: value for name, value in metrics.items() if not math.isnan(value)}


def _shown(metrics: Mapping[str, float]) -> list[str]:
    """Choose the columns of the list of runs: few enough to be seen at once, the interval beside its Dice."""
    return [name for name in metrics if name.rpartition("/")[2] in METRICS_SHOWN]


def _of(table: pd.DataFrame, target: str) -> pd.DataFrame:
    return table[table["target"] == target]


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
