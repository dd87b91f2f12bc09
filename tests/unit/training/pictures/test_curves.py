"""Curves, read back from what was drawn; the history as text by hand."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from lesionflow.training.pictures import curves
from lesionflow.training.pictures.curves import draw_curves, draw_fold_curves, history_csv

HISTORY = [
    {"epoch": 0.0, "train/loss": 0.9, "val/loss": 0.8, "val/dice": 0.25},
    {"epoch": 1.0, "train/loss": 0.5, "val/loss": 0.6, "val/dice": 0.75},
    {"epoch": 2.0, "train/loss": 0.3, "val/loss": 0.7, "val/dice": 0.5},
]
UNJUDGED = [{"epoch": row["epoch"], "train/loss": row["train/loss"]} for row in HISTORY]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn."""
    figures = []
    monkeypatch.setattr(curves, "Figure", lambda **how: figures.append(Figure(**how)) or figures[-1])
    return figures


def lines(axes):
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}


def test_losses_and_dice_stand_over_epochs_counted_from_1(drawn):
    content = draw_curves(HISTORY, "blobs: unet")
    losses, dice = drawn[0].axes
    assert lines(losses) == {"train/loss": ([1, 2, 3], [0.9, 0.5, 0.3]), "val/loss": ([1, 2, 3], [0.8, 0.6, 0.7])}
    found = lines(dice)
    assert found["val/dice"] == ([1, 2, 3], [0.25, 0.75, 0.5])
    # The best epoch is the second.
    assert found["best: 0.750"][0] == [2, 2]
    assert dice.get_ylim() == (0, 1)
    assert drawn[0].get_suptitle() == "blobs: unet"
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG"
        assert picture.size == (1100, 440)


def test_without_validation_the_loss_of_training_stands_alone(drawn):
    draw_curves(UNJUDGED, "all")
    losses, dice = drawn[0].axes
    assert set(lines(losses)) == {"train/loss"}
    assert lines(dice) == {}
    assert dice.get_legend() is None


def test_folds_have_a_line_each_and_a_last_network_none_of_dice(drawn):
    draw_fold_curves({"fold-0": HISTORY, "fold-1": HISTORY[:1], "all": UNJUDGED}, "2 folds")
    losses, dice = drawn[0].axes
    assert list(lines(losses)) == ["fold-0", "fold-1", "all"]
    assert lines(losses)["fold-1"] == ([1], [0.9])
    assert list(lines(dice)) == ["fold-0, best 0.750", "fold-1, best 0.250"]
    # A fold looks the same in both.
    assert [line.get_color() for line in dice.lines] == [line.get_color() for line in losses.lines][:2]


def test_eighteen_folds_are_told_apart(drawn):
    draw_fold_curves({f"fold-{k}": HISTORY for k in range(18)}, "18 folds")
    looks = {(to_hex(line.get_color()), line.get_linestyle()) for line in drawn[0].axes[0].lines}
    assert len(looks) == 18


def test_the_history_as_text():
    history = [{"epoch": 0.0, "train/loss": 0.123456789, "lr": 1e-5}, {"epoch": 1.0, "train/loss": 2 / 3, "lr": 5e-06}]
    assert history_csv(history) == "epoch,train/loss,lr\n0,0.123457,1e-05\n1,0.666667,5e-06\n"
    table = np.genfromtxt(io.StringIO(history_csv(HISTORY)), delimiter=",", names=True, deletechars="")
    np.testing.assert_array_equal(table["val/dice"], [0.25, 0.75, 0.5])
