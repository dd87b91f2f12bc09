"""Plots of all cases together: shapes and lightness carry what color does, so that every eye and a gray print read them."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lesionflow.evaluation.figures import DPI, PREDICTED_COLOR, REFERENCE_COLOR, to_png
from lesionflow.evaluation.froc import Froc
from lesionflow.evaluation.reliability import Reliability

BETTER_COLOR, WORSE_COLOR, EVEN_COLOR = "#0072B2", "#D55E00", "#666666"
#: Half the width of 95 % limits of agreement, in standard deviations.
AGREEMENT = 1.96
#: Thresholds that a FROC curve names.
LABELED_THRESHOLDS = (0.1, 0.5, 0.9)
#: Changes of Dice below this are drawn as none.
EVEN_DICE = 0.01


def confusion_matrix(table: pd.DataFrame, target: str) -> bytes:
    """Draw voxels of all cases by reference and prediction, with their share of the reference."""
    counts = np.array([[table["tn"].sum(), table["fp"].sum()], [table["fn"].sum(), table["tp"].sum()]], dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(4.6, 3.7), dpi=DPI, layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1.2)
    for (row, column), share in np.ndenumerate(shares):
        # Only the darkest blues need white on them.
        color = "white" if share > 0.7 else "black"
        axis.text(column, row, f"{share:.2%}\n{counts[row, column]:,.0f}", ha="center", va="center", color=color)
    axis.set_xticks([0, 1], ["background", target])
    axis.set_yticks([0, 1], ["background", target], rotation=90, va="center")
    axis.set_xlabel("predicted voxels")
    axis.set_ylabel("reference voxels")
    return to_png(figure)


def dice_by_size(table: pd.DataFrame) -> bytes:
    """Draw Dice by tumor size; cases without a tumor stand apart at the left."""
    figure, axis = _one_axis()
    some = table[table["reference_ml"] > 0]
    axis.scatter(some["reference_ml"], some["dice"], color=REFERENCE_COLOR, edgecolor="black", zorder=3)
    none = table[table["reference_ml"] == 0]
    if len(some):
        axis.set_xscale("log")
    if len(none):
        left = some["reference_ml"].min() / 3 if len(some) else 0.0
        axis.scatter([left] * len(none), none["dice"], marker="s", color="white", edgecolor="black", zorder=3,
                     label=f"no tumor in the reference ({len(none)})")  # fmt: skip
        figure.legend(fontsize=8, loc="outside upper right", frameon=False)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set(xlabel="reference volume (ml)", ylabel="Dice", ylim=(-0.03, 1.03))
    return to_png(figure)


def bland_altman(table: pd.DataFrame) -> bytes:
    """Draw the error of the volume by its size, with bias and limits (1986, DOI 10.1016/S0140-6736(86)90837-8)."""
    figure, axis = _one_axis()
    error = table["predicted_ml"] - table["reference_ml"]
    size = (table["predicted_ml"] + table["reference_ml"]) / 2
    axis.scatter(size, error, color=PREDICTED_COLOR, edgecolor="black", zorder=3)
    mean = float(error.mean())
    lines = [(mean, "-", "mean")]
    if len(error) > 1:
        spread = AGREEMENT * float(error.std(ddof=1))
        lines += [(mean + spread, "--", "+1.96 SD"), (mean - spread, "--", "−1.96 SD")]
    for level, style, words in lines:
        axis.axhline(level, color="black", linestyle=style, linewidth=1)
        shown = f"{words}\n{level:+.1f}".replace("-", "−")
        # Beside the axis: on it, points would hide the words.
        axis.annotate(shown, (1.02, level), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    axis.margins(x=0.05, y=0.12)
    axis.set(xlabel="mean of both volumes (ml)", ylabel="predicted minus reference (ml)")
    return to_png(figure)


def froc_plot(curve: Froc, confidence_level: float) -> bytes:
    """Draw sensitivity against false alarms a case, with its band."""
    figure, axis = _one_axis()
    points = curve.points
    alarms = [point.false_alarms_per_case for point in points]
    low, high = [point.low for point in points], [point.high for point in points]
    axis.fill_between(
        alarms, low, high, color=REFERENCE_COLOR, alpha=0.35, linewidth=0, label=f"{confidence_level:.0%} interval"
    )
    axis.plot(alarms, [point.sensitivity for point in points], color=BETTER_COLOR, marker=".", label="lesions found")
    for point in points:
        if point.threshold in LABELED_THRESHOLDS:
            place = (point.false_alarms_per_case, point.sensitivity)
            axis.plot(*place, "o", color="white", markeredgecolor="black", zorder=3)
            axis.annotate(f"{point.threshold:g}", place, xytext=(6, -12), textcoords="offset points", fontsize=8)
    axis.set(xlabel="false alarms per case", ylabel="share of lesions found", ylim=(-0.03, 1.03))
    axis.set_xlim(-0.02 * max(1.0, *alarms), 1.08 * max(1.0, *alarms))
    axis.legend(fontsize=8, loc="lower right", title="named: probability threshold", title_fontsize=8)
    return to_png(figure)


def reliability_plot(found: Reliability) -> bytes:
    """Draw the share of voxels that is tumor by what the model said; below, how many voxels stand behind each point."""
    figure = Figure(figsize=(4.6, 3.7), dpi=DPI, layout="constrained")
    axis, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    said, true, n = (np.array(column) for column in zip(*found.bins, strict=True))
    axis.plot((0, 1), (0, 1), color="black", linestyle=":", linewidth=1, label="means what it says")
    axis.plot(said, true, color=BETTER_COLOR, marker="o", markersize=4, label="this model")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, loc="upper left")
    axis.set(ylabel="share that is tumor", ylim=(-0.03, 1.03))
    below.bar(said, n, width=0.04, color=EVEN_COLOR)
    below.set_yscale("log")
    below.yaxis.set_minor_formatter(NullFormatter())
    below.set(xlabel="probability of a voxel", ylabel="voxels", xlim=(-0.03, 1.03))
    return to_png(figure)


def slope_plot(ours: pd.DataFrame, theirs: pd.DataFrame, champion: str) -> bytes:
    """Draw each case's Dice with the champion and with this model as one line: up is better."""
    pairs = theirs[["case_id", "dice"]].merge(ours[["case_id", "dice"]], on="case_id", suffixes=("_champion", "_model"))
    figure = Figure(figsize=(4.6, 4.2), dpi=DPI, layout="constrained")
    axis = figure.subplots()
    groups = {
        "better": (BETTER_COLOR, "-", pairs["dice_model"] - pairs["dice_champion"] > EVEN_DICE),
        "worse": (WORSE_COLOR, "--", pairs["dice_champion"] - pairs["dice_model"] > EVEN_DICE),
    }
    groups["alike"] = (EVEN_COLOR, ":", ~(groups["better"][2] | groups["worse"][2]))
    for name, (color, line, chosen) in groups.items():
        rows = pairs.loc[chosen, ["dice_champion", "dice_model"]].to_numpy()
        for number, row in enumerate(rows):
            label = f"{name} ({len(rows)})" if number == 0 else None
            axis.plot((0, 1), row, color=color, linestyle=line, marker="o", markersize=4, label=label)
    axis.set_xticks([0, 1], [champion, "this model"])
    axis.set(ylabel="Dice of each case", xlim=(-0.25, 1.25), ylim=(-0.03, 1.03))
    figure.legend(fontsize=8, loc="outside upper right", ncols=3, frameon=False)
    return to_png(figure)


def _one_axis() -> tuple[Figure, Any]:
    figure = Figure(figsize=(4.6, 3.7), dpi=DPI, layout="constrained")
    axis = figure.subplots()
    axis.grid(alpha=0.25)
    return figure, axis
