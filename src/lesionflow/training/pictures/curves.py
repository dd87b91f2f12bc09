"""Pictures of how a training went."""

import io
from collections.abc import Mapping, Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionflow.training.state import Row

#: Okabe and Ito's colors, told apart by color-blind readers.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
FOLDS = (BLUE, VERMILION, GREEN, "#CC79A7", "#E69F00", "#56B4E9")


def draw_curves(history: Sequence[Row], title: str) -> bytes:
    """Draw losses and Dice over the epochs.

    Args:
        history: A row an epoch, at least one.
        title: Above the picture.

    Returns:
        A PNG file.
    """
    epochs = [row["epoch"] + 1 for row in history]
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, dice = figure.subplots(1, 2)
    judged = "val/dice" in history[0]
    for name, color in (("train/loss", BLUE), *([("val/loss", VERMILION)] if judged else [])):
        losses.plot(epochs, [row[name] for row in history], color=color, label=name, marker=".")
    if judged:
        dice.plot(epochs, [row["val/dice"] for row in history], color=GREEN, label="val/dice", marker=".")
        best = max(history, key=lambda row: row["val/dice"])
        dice.axvline(best["epoch"] + 1, color="gray", linestyle=":", label=f"best: {best['val/dice']:.3f}")
    return _finish(figure, losses, dice, title)


def draw_fold_curves(histories: Mapping[str, Sequence[Row]], title: str) -> bytes:
    """Draw loss and Dice over the epochs of several trainings, a line each.

    Args:
        histories: By what each is called; a row an epoch, at least one.
        title: Above the picture.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, dice = figure.subplots(1, 2)
    looks = cycle((color, style) for style in ("-", "--", ":") for color in FOLDS)
    for (name, history), (color, style) in zip(histories.items(), looks, strict=False):
        epochs, look = [row["epoch"] + 1 for row in history], {"color": color, "linestyle": style, "marker": "."}
        losses.plot(epochs, [row["train/loss"] for row in history], label=name, **look)
        if "val/dice" in history[0]:
            best = max(row["val/dice"] for row in history)
            dice.plot(epochs, [row["val/dice"] for row in history], label=f"{name}, best {best:.3f}", **look)
    return _finish(figure, losses, dice, title)


def _finish(figure: Figure, losses: Axes, dice: Axes, title: str) -> bytes:
    dice.set_ylim(0, 1)
    for axes, label in ((losses, "loss"), (dice, "Dice of validation")):
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def history_csv(history: Sequence[Row]) -> str:
    """Return the history as CSV, a line an epoch.

    Args:
        history: Rows with equal keys, at least one.

    Returns:
        Text that ends with a line break.
    """
    lines = [",".join(history[0]), *(",".join(f"{value:.6g}" for value in row.values()) for row in history)]
    return "\n".join(lines) + "\n"
