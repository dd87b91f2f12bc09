"""An evaluation as other programs read it: `metrics.json`, `headline.json` for DVC, nnU-Net's `summary.json`, FROC points."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from lesionflow.data.dataset import Target
from lesionflow.evaluation.empty_masks import FALSE_ALARM, MISSED, value_of
from lesionflow.evaluation.froc import READ_OFF_AT, Froc
from lesionflow.evaluation.page import interval, number, title_of
from lesionflow.evaluation.reliability import Reliability
from lesionflow.evaluation.results import SizeClass, TargetResult
from lesionflow.evaluation.statistics import Estimate
from lesionflow.metrics import HEADLINE, METRICS

#: nnU-Net's names of our figures.
NNUNET_NAMES = {"dice": "Dice", "iou": "IoU", "tp": "TP", "fp": "FP", "fn": "FN", "tn": "TN"}
#: How often a target was missed or made up, as `TargetResult` has it.
MISSES = ("n_cases_with_tumor", "n_missed_cases", "n_cases_without_tumor", "n_false_alarm_cases")
#: Headline metrics that have no finite value where a tumor was missed or made up, so that their mean is of the other cases.
PARTIAL = tuple(name for name in HEADLINE if not all(math.isfinite(value_of(name, k)) for k in (MISSED, FALSE_ALARM)))
#: Those that nnU-Net leaves out where both masks are empty.
NNUNET_SHARES = ("Dice", "IoU")


def metrics_json(results: Mapping[str, TargetResult]) -> dict[str, Any]:
    """Return all figures: the first target's metrics on top, where people look first; all targets below.

    Undefined figures are null.
    """
    targets = {
        target: {
            **{name: _plain(estimate) for name, estimate in result.estimates.items()},
            "with_tumor": {name: _plain(estimate) for name, estimate in result.with_tumor.items()},
            **{name: getattr(result, name) for name in MISSES},
            "by_size": {size.name: _size(size) for size in result.sizes},
            "froc": _froc(result.froc),
            "reliability": _reliability(result.reliability),
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
    """Return the means of the headline metrics by target: few enough for a table of `dvc metrics diff`.

    Beside a mean that is not over all cases stands how many are behind it; beside Dice its mean of the cases that have a tumor, as one without is 1
    where nothing is found.
    """
    return {
        target: {name: _null(result.estimates[name].mean) for name in HEADLINE}
        | {f"{name}_n_cases": result.estimates[name].n_finite for name in PARTIAL}
        | {"dice_with_tumor": _null(result.with_tumor["dice"].mean) if result.with_tumor else None}
        | {name: getattr(result, name) for name in ("n_missed_cases", "n_false_alarm_cases")}
        for target, result in results.items()
    }


def headline_markdown(results: Mapping[str, TargetResult], against_champion: str, confidence_level: float) -> str:
    """Return the headline for a run's description: a table a target, and how the first compares with the champion's."""
    parts = []
    for target, result in results.items():
        rows = [
            f"| {title_of(name)} | {number(e.mean, METRICS[name].unit)} | {interval(e, METRICS[name].unit)} | {e.n} | "
            f"{_of_tumors(result, name)} | {e.left_out()} |"
            for name, e in result.estimates.items()
            if name in HEADLINE
        ]
        head = f"| {target}, on test patients | mean | {confidence_level:.0%} interval | patients | of those with a tumor | left out of the mean |"
        parts.append("\n".join([head, "|---|---:|---:|---:|---|---|", *rows]))
    return "\n\n".join([*parts, f"**Against the champion:** {against_champion}"])


def _of_tumors(result: TargetResult, metric: str) -> str:
    found = result.tumors_alone(metric)
    return f"{number(found.mean, METRICS[metric].unit)} of {found.n}" if found else ""


def nnunet_summary(table: pd.DataFrame, targets: tuple[Target, ...]) -> dict[str, Any]:
    """Return nnU-Net v2's `summary.json`: its names, its keys and its rule for empty masks.

    A case that is empty in both masks has no Dice and no IoU there (null here, as JSON has no NaN), and the means leave it
    out; in our own files it is 1.

    Args:
        table: One row a case and target.
        targets: Of the plan.
    """
    keys = {t.name: str(t.labels[0]) if len(t.labels) == 1 else str(tuple(t.labels)) for t in targets}
    theirs = table[list(NNUNET_NAMES)].rename(columns=NNUNET_NAMES).astype(float)
    theirs = theirs.assign(n_pred=theirs["TP"] + theirs["FP"], n_ref=theirs["TP"] + theirs["FN"])
    theirs.loc[theirs["n_pred"] + theirs["n_ref"] == 0, list(NNUNET_SHARES)] = math.nan
    rows = theirs.assign(case_id=table["case_id"], target=table["target"])
    per_case = [
        {
            "case_id": case_id,
            "metrics": {
                keys[str(row["target"])]: {name: _null(float(row[name])) for name in theirs}
                for _, row in found.iterrows()
            },
        }
        for case_id, found in rows.groupby("case_id", sort=True)
    ]
    means = rows.groupby("target", sort=False)[list(theirs)].mean()
    return {
        "metric_per_case": per_case,
        "mean": {keys[str(target)]: {n: _null(float(v)) for n, v in row.items()} for target, row in means.iterrows()},
        "foreground_mean": {name: _null(float(value)) for name, value in means.mean(skipna=False).items()},
    }


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


def _reliability(found: Reliability) -> dict[str, Any]:
    plain = {
        key: {name: _null(part) for name, part in value._asdict().items()}
        if hasattr(value, "_asdict")
        else _null(value)
        for key, value in found._asdict().items()
    }
    bins = [{"probability": p, "frequency": f, "n": n} for p, f, n in found.bins]
    return {**plain, "bins": bins}


def _null(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
