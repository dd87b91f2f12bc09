"""What an epoch leaves behind: its row, the best weights, a seed of its own, a line."""

import io
import logging
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.callbacks import EarlyStopping
from rich.console import Console

from lesionflow.training import fit
from lesionflow.training.averaging import AveragedWeights
from lesionflow.training.recording import ProgressBar, Recorder, copy_weights
from support.training_cases import RECIPE, blob_data, tiny_network


def one_weight(value):
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, value)
    return SimpleNamespace(network=network, recipe=RECIPE)


def after_epoch(dice, value=0.0, loss=1.0):
    """A trainer as Lightning leaves it after an epoch."""
    network = one_weight(value)
    metrics = {"train/loss": torch.tensor(loss), "unknown": torch.tensor(9.0)}
    if dice is not None:
        metrics |= {
            "val/loss": torch.tensor(loss / 2),
            "val/dice": torch.tensor(dice),
            "val/dice_pooled": torch.tensor(0.5),
        }
    optimizer = torch.optim.SGD(network.network.parameters(), lr=0.25)
    return (
        SimpleNamespace(
            callback_metrics=metrics,
            optimizers=[optimizer],
            precision_plugin=SimpleNamespace(state_dict=lambda: {"scale": 8.0}, load_state_dict=lambda _: None),
        ),
        network,
    )


def new_recorder(states, resume=None, decay=0.0, epochs=0, rank=0):
    return Recorder(
        SimpleNamespace(learning_rate=0.125, state_dict=lambda: {"learning_rate": 0.125}),
        SimpleNamespace(epochs=epochs, epoch_s=12.5, elapsed_s=99.0),
        EarlyStopping("val/dice", mode="max"), AveragedWeights(decay), states.append, resume, rank,
    )  # fmt: skip


def test_rows_are_counted_from_0_and_the_best_weights_stay():
    states = []
    recorder = new_recorder(states)
    for number, dice in enumerate((0.25, 0.75, 0.75, 0.5)):
        recorder.on_train_epoch_end(*after_epoch(dice, value=float(number), loss=4.0 - number))
    assert [state.best["weight"].item() for state in states] == [0.0, 1.0, 1.0, 1.0]
    assert [state.best_dice for state in states] == [0.25, 0.75, 0.75, 0.75]
    assert [state.network["weight"].item() for state in states] == [0.0, 1.0, 2.0, 3.0]
    assert states[-1].history[1:3] == [
        {"epoch": 1.0, "train/loss": 3.0, "val/loss": 1.5, "val/dice": 0.75, "val/dice_pooled": 0.5, "lr": 0.125, "epoch_s": 12.5},
        {"epoch": 2.0, "train/loss": 2.0, "val/loss": 1.0, "val/dice": 0.75, "val/dice_pooled": 0.5, "lr": 0.125, "epoch_s": 12.5},
    ]  # fmt: skip
    # A state that was handed over is not changed by later epochs.
    assert [state.epochs for state in states] == [1, 2, 3, 4]
    assert (states[0].elapsed_s, states[0].precision) == (99.0, {"scale": 8.0})
    assert states[0].optimizer["param_groups"][0]["lr"] == 0.25
    assert set(states[0].callbacks) == {"schedule", "early_stopping", "averaging"}


def test_without_validation_the_last_weights_are_kept():
    states = []
    recorder = new_recorder(states)
    for value in (1.0, 2.0):
        recorder.on_train_epoch_end(*after_epoch(None, value=value))
    assert [state.best["weight"].item() for state in states] == [1.0, 2.0]
    assert math.isnan(states[-1].best_dice)
    assert set(states[-1].history[0]) == {"epoch", "train/loss", "lr", "epoch_s"}


def test_a_resumed_training_goes_on_counting_and_comparing():
    states = []
    new_recorder(states).on_train_epoch_end(*after_epoch(0.75, value=1.0))
    resumed = new_recorder(states, resume=states[0])
    trainer, module = after_epoch(0.5, value=2.0)
    told = []
    trainer.precision_plugin.load_state_dict = told.append
    trainer.optimizers[0].param_groups[0]["lr"] = 99.0
    resumed.on_train_start(trainer, module)
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0.25
    assert told == [{"scale": 8.0}]
    resumed.on_train_epoch_end(trainer, module)
    assert [row["epoch"] for row in states[-1].history] == [0.0, 1.0]
    assert states[-1].best["weight"].item() == 1.0


def test_the_weights_that_are_kept_are_the_average_that_was_validated():
    states = []
    recorder = new_recorder(states, decay=0.5)
    trainer, module = after_epoch(0.75, value=1.0)
    recorder._averaging.on_train_start(trainer, module)
    torch.nn.init.constant_(module.network.weight, 2.0)
    # The first step of an average keeps a tenth of what was: 0.1 x 1 + 0.9 x 2.
    recorder._averaging.on_train_batch_end(trainer, module)
    recorder.on_train_epoch_end(trainer, module)
    assert states[0].best["weight"].item() == pytest.approx(1.9)
    assert states[0].network["weight"].item() == module.network.weight.item() == 2.0


def draw(seed=3, epochs=0, rank=0):
    recorder = new_recorder([], epochs=epochs, rank=rank)
    recorder.on_train_epoch_start(None, SimpleNamespace(recipe=replace(RECIPE, seed=seed)))
    return tuple(torch.rand(3).tolist())


def test_what_is_drawn_depends_on_seed_epoch_and_process_alone():
    assert draw() == draw()
    drawn = {draw(), draw(seed=4), draw(epochs=1), draw(rank=1), draw(rank=2), draw(epochs=1, rank=1)}
    assert len(drawn) == 6


def test_copied_weights_are_not_shared_with_the_network_and_know_no_gradient():
    network = one_weight(5.0).network
    copied = copy_weights(network)
    torch.nn.init.constant_(network.weight, 6.0)
    assert copied["weight"].item() == 5.0
    assert not copied["weight"].requires_grad


def bar(console, epochs=3, affordable=math.inf, best=0.625):
    budget = SimpleNamespace(epochs=epochs, epoch_s=12.52, affordable_epochs=affordable)
    return ProgressBar(7, budget, best, console)


@pytest.mark.parametrize(
    ("dice", "line"),
    [
        (0.4, "epoch 3 of 7: loss 0.1235, validation loss 0.0617, Dice 0.4000 (best 0.6250), 12.5 s"),
        (0.8, "epoch 3 of 7: loss 0.1235, validation loss 0.0617, Dice 0.8000 (best 0.8000), 12.5 s"),
        (None, "epoch 3 of 7: loss 0.1235, 12.5 s"),
    ],
)
def test_the_line_of_an_epoch(caplog, dice, line):
    with caplog.at_level(logging.INFO, logger="lesionflow"):
        bar(Console(file=io.StringIO())).on_train_epoch_end(after_epoch(dice, loss=0.12345)[0], None)
    assert [record.message for record in caplog.records] == [line]


@pytest.mark.parametrize(("affordable", "epochs"), [(math.inf, "4/7"), (5.9, "4/5"), (99.0, "4/7")])
def test_the_bar_says_how_many_epochs_the_minutes_allow(affordable, epochs):
    screen = io.StringIO()
    drawn = bar(Console(file=screen, force_terminal=True, width=120), affordable=affordable)
    drawn.on_train_start(SimpleNamespace(num_training_batches=8), None)
    drawn.on_train_epoch_start()
    drawn.on_train_batch_end()
    drawn.teardown()
    assert f"epoch {epochs} Dice 0.625" in screen.getvalue()


def test_where_there_is_no_terminal_no_bar_is_drawn():
    screen = io.StringIO()
    drawn = bar(Console(file=screen))
    drawn.on_train_start(SimpleNamespace(num_training_batches=8), None)
    drawn.on_train_epoch_start()
    drawn.teardown()
    assert screen.getvalue().strip() == ""


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self):
        return self.now


def lines_of_an_epoch(console, seconds_a_batch, *, n_batches=8, n_validated=3):
    """Run one epoch and its validation by a clock, the fourth of seven."""
    clock = Clock()
    budget = SimpleNamespace(epochs=3, epoch_s=12.52, affordable_epochs=math.inf)
    drawn = ProgressBar(7, budget, 0.625, console, clock)
    drawn.on_train_start(SimpleNamespace(num_training_batches=n_batches), None)
    drawn.on_train_epoch_start()
    for _ in range(n_batches):
        clock.now += seconds_a_batch
        drawn.on_train_batch_end()
    drawn.on_validation_start()
    for _ in range(n_validated):
        clock.now += seconds_a_batch
        drawn.on_validation_batch_end()
    drawn.on_validation_end()
    budget.epochs = 4
    drawn.on_train_epoch_end(after_epoch(0.8)[0], None)
    drawn.teardown()


def said_by(caplog, console, seconds_a_batch):
    with caplog.at_level(logging.INFO, logger="lesionflow"):
        lines_of_an_epoch(console, seconds_a_batch)
    return [record.message for record in caplog.records]


def test_without_a_terminal_a_long_epoch_says_each_minute_how_far_it_is(caplog):
    said = said_by(caplog, Console(file=io.StringIO()), 25.0)
    assert said[:-1] == [
        "epoch 4 of 7: batch 3 of 8, 75 s",
        "epoch 4 of 7: batch 6 of 8, 150 s",
        "epoch 4 of 7: validating, batch 1, 225 s",
    ]
    assert said[-1].startswith("epoch 4 of 7: loss")


def test_a_short_epoch_says_its_line_alone_and_so_does_a_long_one_beside_a_bar(caplog):
    assert len(said_by(caplog, Console(file=io.StringIO()), 5.0)) == 1
    caplog.clear()
    screen = io.StringIO()
    assert len(said_by(caplog, Console(file=screen, force_terminal=True, width=120), 25.0)) == 1


def test_an_epoch_is_told_in_a_line_and_on_a_terminal_by_a_bar(caplog, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(
        "lesionflow.training.recording.Console", lambda **_: Console(file=screen, force_terminal=True, width=120)
    )
    with caplog.at_level(logging.INFO, logger="lesionflow"):
        recipe = replace(RECIPE, max_epochs=2)
        result = fit(tiny_network, blob_data(), recipe, device="cpu", n_threads=1, on_epoch=lambda _: None)
    assert "epoch 2 of 2" in caplog.text
    assert f"Dice {result.history[-1]['val/dice']:.4f}" in caplog.text
    assert "epoch 2/2" in screen.getvalue()
    assert "left" in screen.getvalue()
