"""Score the candidate on the locked test cases: whole volumes, in each study's own space."""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lesionflow.config import EvaluateConfig, Settings
from lesionflow.data.bundle import Bundle
from lesionflow.data.case import Case
from lesionflow.data.dataset import Target
from lesionflow.data.splitting import digest_of_test_set
from lesionflow.evaluation.figures import confusion_matrix, overlay_planes, to_array, volumes_plot
from lesionflow.evaluation.report import Picture, render_report
from lesionflow.evaluation.scoring import score_bundle
from lesionflow.evaluation.statistics import Estimate, estimate_means
from lesionflow.inference import Segmentation
from lesionflow.io.bundles import read_bundle
from lesionflow.io.cases import read_case, read_table
from lesionflow.io.ledger import ledger_path, note_read
from lesionflow.io.storage import replacing_folder
from lesionflow.metrics import METRICS
from lesionflow.registry.tracking import Tracker
from lesionflow.steps.revision import code_revision
from lesionflow.steps.split import read_split

logger = logging.getLogger(__name__)

Estimates = dict[str, dict[str, Estimate]]


def run(
    config: EvaluateConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Write `reports/evaluation/` and log it to the run that trained the bundle.

    Raises:
        ArtifactError: When the bundle is harmed or a test case can't be scored.
    """
    bundle, split = read_bundle(inputs["bundle"]), read_split(inputs["splits"])
    cases = read_table(inputs["cases"])
    patients = dict(zip(cases["case_id"], cases["patient_id"], strict=True))
    pictures: dict[str, bytes] = {}

    def read(case_id: str) -> Case:
        return read_case(inputs["cases"], case_id, patients[case_id])

    def draw(case: Case, found: Segmentation, rows: list[dict[str, Any]]) -> None:
        dice = ", ".join(f"Dice {row['target']} {row['dice']:.3f}" for row in rows)
        kinds = tuple(channel.kind for channel in bundle.plan.channels)
        pictures[case.case_id] = overlay_planes(case, found.mask, kinds, f"{case.case_id}: {dice}")

    hashes = {r.case_id: (r.image_sha256, r.mask_sha256) for r in cases.itertuples()}
    about = {
        "bundle_digest": bundle.digest,
        "run_id": bundle.card.run_id,
        "test_set_sha256": digest_of_test_set(split, hashes),
        "n_cases": len(split.test),
    }
    note_read(ledger_path(inputs["splits"]), {"step": "evaluate", **about, "code_revision": code_revision()})
    table = score_bundle(bundle, read, split.test, device=settings.device, on_case=draw)
    estimates = _estimate(table, bundle.plan.targets, config)
    figures = _figures(table, bundle.plan.targets)
    with replacing_folder(outputs["evaluation"]) as folder:
        _write(folder, config, bundle, table, estimates, about, figures, pictures)
        _log(folder, bundle, table, estimates, about, figures, pictures, settings)
    first = next(iter(estimates.values()))["dice"]
    logger.info("Test Dice %.3f [%.3f, %.3f], %d patients.", first.mean, first.low, first.high, first.n)
    return {
        "test_dice": first.mean,
        "test_dice_low": first.low,
        "test_dice_high": first.high,
        "n_cases": float(len(split.test)),
    }


def _estimate(table: pd.DataFrame, targets: tuple[Target, ...], config: EvaluateConfig) -> Estimates:
    return {
        target.name: estimate_means(
            table[table["target"] == target.name],
            tuple(METRICS),
            n_bootstrap=config.n_bootstrap,
            confidence_level=config.confidence_level,
            seed=config.seed,
        )
        for target in targets
    }


def _figures(table: pd.DataFrame, targets: tuple[Target, ...]) -> dict[str, Picture]:
    found = {}
    for target in targets:
        found[f"confusion_{target.name}"] = Picture(
            f"{target.name}: voxels by reference and prediction, share of each row",
            confusion_matrix(table, target.name),
        )
        found[f"volumes_{target.name}"] = Picture(
            f"{target.name}: Dice by size; volume error by size with mean and 1.96 deviations",
            volumes_plot(table, target.name),
        )
    return found


def _write(
    folder: Path,
    config: EvaluateConfig,
    bundle: Bundle,
    table: pd.DataFrame,
    estimates: Estimates,
    about: dict[str, Any],
    figures: dict[str, Picture],
    pictures: dict[str, bytes],
) -> None:
    table.to_parquet(folder / "cases.parquet", index=False)
    table.to_csv(folder / "cases.csv", index=False)
    _write_json(folder / "evaluation.json", about)
    _write_json(folder / "metrics.json", _metrics(estimates))
    _write_json(folder / "summary.json", _nnunet_summary(table, bundle.plan.targets))
    for name, picture in figures.items():
        (folder / f"{name}.png").write_bytes(picture.png)
    (folder / "overlays").mkdir()
    for case_id, png in pictures.items():
        (folder / "overlays" / f"{case_id}.png").write_bytes(png)
    worst = table.groupby("case_id")["dice"].mean().sort_values(kind="stable").index[: config.n_worst_cases]
    cases = [Picture(f"Case {case_id}", pictures[case_id]) for case_id in worst]
    title = f"Evaluation: {bundle.plan.architecture.name} on {bundle.plan.dataset.name}"
    page = render_report(title, bundle.plan, bundle.card, table, estimates, list(figures.values()), cases)
    (folder / "report.html").write_text(page, encoding="utf-8")


def _metrics(estimates: Estimates) -> dict[str, Any]:
    """The first target's metrics on top, where DVC and people look first; all targets below."""
    targets = {target: {m: _plain(e) for m, e in found.items()} for target, found in estimates.items()}
    return {**next(iter(targets.values())), "targets": targets}


def _plain(estimate: Estimate) -> dict[str, float | int | None]:
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in estimate._asdict().items()}


def _nnunet_summary(table: pd.DataFrame, targets: tuple[Target, ...]) -> dict[str, Any]:
    """nnU-Net v2's `summary.json`: its names, its keys; undefined figures are null."""
    names = {"dice": "Dice", "iou": "IoU", "tp": "TP", "fp": "FP", "fn": "FN", "tn": "TN"}
    keys = {t.name: str(t.labels[0]) if len(t.labels) == 1 else str(tuple(t.labels)) for t in targets}
    per_case = []
    for case_id, rows in table.groupby("case_id", sort=True):
        metrics = {keys[r["target"]]: {theirs: r[ours] for ours, theirs in names.items()} for _, r in rows.iterrows()}
        per_case.append({"case_id": case_id, "metrics": metrics})
    mean = {
        keys[t.name]: {
            theirs: float(table.loc[table["target"] == t.name, ours].mean()) for ours, theirs in names.items()
        }
        for t in targets
    }
    foreground = {theirs: sum(m[theirs] for m in mean.values()) / len(mean) for theirs in names.values()}
    return {"metric_per_case": per_case, "mean": mean, "foreground_mean": foreground}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _log(
    folder: Path,
    bundle: Bundle,
    table: pd.DataFrame,
    estimates: Estimates,
    about: dict[str, Any],
    figures: dict[str, Picture],
    pictures: dict[str, bytes],
    settings: Settings,
) -> None:
    """Show the evaluation where reviewers compare runs."""
    card = bundle.card
    tracker = Tracker(settings.tracking_uri, card.tracking_experiment)
    if not tracker.has_run(card.run_id):
        logger.warning(
            "The run %s that trained this bundle is not in this MLflow store; nothing is logged.", card.run_id
        )
        return
    metrics: dict[str, float] = {}
    for target, found in estimates.items():
        prefix = "test" if len(estimates) == 1 else f"test/{target}"
        for name, estimate in found.items():
            if not math.isnan(estimate.mean):
                metrics |= {f"{prefix}/{name}": estimate.mean, f"{prefix}/{name}_low": estimate.low}
                metrics[f"{prefix}/{name}_high"] = estimate.high
    tracker.log_metrics(card.run_id, metrics)
    tracker.log_table(card.run_id, table, "test_cases.json")
    for number, case_id in enumerate(sorted(pictures)):
        tracker.log_image(card.run_id, to_array(pictures[case_id]), key="test_case", step=number)
    for name, picture in figures.items():
        tracker.log_image(card.run_id, to_array(picture.png), key=name)
    tracker.log_dataset(
        card.run_id, name=f"{bundle.plan.dataset.name}-test", digest=about["test_set_sha256"], context="testing"
    )
    tracker.log_artifacts(card.run_id, folder, "evaluation")
