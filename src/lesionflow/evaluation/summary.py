"""An evaluation as other programs read it: `metrics.json`, `headline.json` for DVC, nnU-Net's `summary.json`, FROC points."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from lesionflow.data.dataset import Target
from lesionflow.evaluation.froc import READ_OFF_AT, Froc
from lesionflow.evaluation.results import SizeClass, TargetResult
from lesionflow.evaluation.statistics import Estimate
from lesionflow.metrics import HEADLINE

#: nnU-Net's names of our figures.
NNUNET_NAMES = {"dice": "Dice", "iou": "IoU", "tp": "TP", "fp": "FP", "fn": "FN", "tn": "TN"}


def metrics_json(results: Mapping[str, TargetResult]) -> dict[str, Any]:
    """Return all figures: the first target's metrics on top, where people look first; all targets below.

    Undefined figures are null.
    """
    targets = {
        target: {
            **{name: _plain(estimate) for name, estimate in result.estimates.items()},
            "by_size": {size.name: _size(size) for size in result.sizes},
            "froc": _froc(result.froc),
            "subgroups": [
                {**g._asdict(), "estimates": {name: _plain(e) for name, e in g.estimates.items()}}
                for g in result.subgroups
            ],
            "against_champion": [{k: _null(v) for k, v in d._asdict().items()} for d in result.differences],
        }
        for target, result in results.items()
    }
    first = next(iter(results.values()))
    return {**{name: _plain(estimate) for name, estimate in first.estimates.items()}, "targets": targets}


def headline_json(results: Mapping[str, TargetResult]) -> dict[str, dict[str, float | None]]:
    """Return the means of the headline metrics by target: few enough for a table of `dvc metrics diff`."""
    return {
        target: {name: _null(result.estimates[name].mean) for name in HEADLINE} for target, result in results.items()
    }


def nnunet_summary(table: pd.DataFrame, targets: tuple[Target, ...]) -> dict[str, Any]:
    """Return nnU-Net v2's `summary.json`: its names, its keys. Ours differ in one rule: both empty is Dice 1, not NaN.

    Args:
        table: One row a case and target.
        targets: Of the plan.
    """
    keys = {t.name: str(t.labels[0]) if len(t.labels) == 1 else str(tuple(t.labels)) for t in targets}
    per_case = []
    for case_id, rows in table.groupby("case_id", sort=True):
        metrics = {
            keys[row["target"]]: {theirs: row[ours] for ours, theirs in NNUNET_NAMES.items()}
            for _, row in rows.iterrows()
        }
        per_case.append({"case_id": case_id, "metrics": metrics})
    mean = {
        keys[t.name]: {
            theirs: float(table.loc[table["target"] == t.name, ours].mean()) for ours, theirs in NNUNET_NAMES.items()
        }
        for t in targets
    }
    foreground = {theirs: sum(m[theirs] for m in mean.values()) / len(mean) for theirs in NNUNET_NAMES.values()}
    return {"metric_per_case": per_case, "mean": mean, "foreground_mean": foreground}


def froc_table(curve: Froc | None) -> pd.DataFrame:
    """Return the curve's points as a table; empty without a curve."""
    columns = ["threshold", "false_alarms_per_case", "sensitivity", "low", "high"]
    return pd.DataFrame(curve.points if curve else [], columns=columns)


def _plain(estimate: Estimate) -> dict[str, float | int | None]:
    return {key: _null(value) for key, value in estimate._asdict().items()}


def _size(size: SizeClass) -> dict[str, Any]:
    return {key: _plain(value) if isinstance(value, Estimate) else value for key, value in size._asdict().items()}


def _froc(curve: Froc | None) -> dict[str, Any] | None:
    if curve is None:
        return None
    read_off = {f"{at:g}": value for at, value in zip(READ_OFF_AT, curve.read_off, strict=True)}
    return {"score": curve.score, "sensitivity_at": read_off, "n_lesions": curve.n_lesions, "n_cases": curve.n_cases}


def _null(value: Any) -> Any:
    """JSON has no NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value
