"""What an epoch leaves behind: a row of figures, the best weights, a state to resume from, a line for people."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lesionflow.training.averaging import AveragedWeights
from lesionflow.training.module import SegmentationModule
from lesionflow.training.schedule import Schedule, TimeBudget
from lesionflow.training.state import Row, TrainingState

OnEpoch = Callable[[TrainingState], None]
LOGGED = ("train/loss", "val/loss", "val/dice", "val/dice_pooled")
#: Where no bar can be drawn nothing is silent for longer than this, but for a batch that takes longer.
LONGEST_SILENCE_S = 60.0

_log = logging.getLogger(__name__)


class Recorder(Callback):
    """Seeds each epoch, and hands over the state after it.

    Args:
        schedule: Gives the learning rate.
        budget: Gives the time.
        early_stopping: Its state is kept.
        averaging: Gives the weights that were validated.
        on_epoch: Called with the state after each epoch, when all callbacks have seen it.
        resume: State to go on from.
        rank: Of this process among those that train together; each draws its own dropout.
    """

    def __init__(
        self,
        schedule: Schedule,
        budget: TimeBudget,
        early_stopping: EarlyStopping,
        averaging: AveragedWeights,
        on_epoch: OnEpoch,
        resume: TrainingState | None,
        rank: int = 0,
    ) -> None:
        self._rank = (rank,) if rank else ()
        self._schedule = schedule
        self._budget = budget
        self._early_stopping = early_stopping
        self._averaging = averaging
        self._on_epoch = on_epoch
        self._resume = resume
        self.state = resume

    def on_train_start(self, trainer: Trainer, _: LightningModule) -> None:
        """Restore the optimizer, which exists only now."""
        if self._resume is not None:
            trainer.optimizers[0].load_state_dict(self._resume.optimizer)
            trainer.precision_plugin.load_state_dict(self._resume.precision)

    def on_train_epoch_start(self, _: Trainer, pl_module: SegmentationModule) -> None:
        """Seed by epoch, so that a resumed training draws what an undisturbed one would."""
        seed = np.random.SeedSequence((pl_module.recipe.seed, self._budget.epochs, *self._rank)).generate_state(1)[0]
        torch.manual_seed(int(seed))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: SegmentationModule) -> None:
        """Build the new state and hand it over."""
        figures = _figures(trainer)
        before = self.state
        row: Row = {"epoch": float(before.epochs if before else 0), **figures}
        row |= {"lr": self._schedule.learning_rate, "epoch_s": self._budget.epoch_s}
        best, best_dice = self._best(pl_module.network, row.get("val/dice", math.nan))
        self.state = TrainingState(
            network=copy_weights(pl_module.network),
            optimizer=trainer.optimizers[0].state_dict(),
            callbacks={
                "schedule": self._schedule.state_dict(),
                "early_stopping": self._early_stopping.state_dict(),
                "averaging": self._averaging.state_dict(),
            },
            precision=trainer.precision_plugin.state_dict(),
            best=best,
            best_dice=best_dice,
            elapsed_s=self._budget.elapsed_s,
            history=[*(before.history if before else []), row],
        )
        self._on_epoch(self.state)

    def _best(self, network: torch.nn.Module, dice: float) -> tuple[dict[str, torch.Tensor], float]:
        """Return the weights with the best Dice so far, and that Dice; without validation, those of now and NaN."""
        if self.state is not None and dice <= self.state.best_dice:
            return self.state.best, self.state.best_dice
        with self._averaging.in_place(network):
            return copy_weights(network), dice


class ProgressBar(Callback):
    """One bar over all epochs with the time left and the Dice, and a log line an epoch; without a terminal, lines within long epochs.

    Args:
        max_epochs: Epochs of the whole training.
        budget: Gives epochs done and what can be afforded.
        best_dice: The best so far, when training is resumed.
        console: Where the bar is drawn; not at all when it is no terminal.
        clock: Seconds.
    """

    def __init__(
        self,
        max_epochs: int,
        budget: TimeBudget,
        best_dice: float = 0.0,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_epochs = max_epochs
        self._budget = budget
        console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]} Dice {task.fields[dice]:.3f}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[phase]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._best = best_dice
        self._task = self._bar.add_task("training", total=None, epoch=0, epochs=max_epochs, dice=self._best, phase="")
        self._clock = clock
        self._said = self._began = clock()
        self._n_batches, self._n_done, self._n_validated = 0, 0, 0

    def on_train_start(self, trainer: Trainer, _: LightningModule) -> None:
        """Show the bar."""
        self._n_batches = int(trainer.num_training_batches)
        total, done = self._n_batches * self._max_epochs, self._n_batches * self._budget.epochs
        self._bar.update(self._task, total=total, completed=done)
        self._bar.start()
        self._said = self._clock()

    def on_train_epoch_start(self, *_: Any) -> None:
        """Shorten the bar when the minutes will be over before the epochs are."""
        epochs = int(min(float(self._max_epochs), max(1.0, self._budget.affordable_epochs)))
        self._bar.update(self._task, epoch=self._budget.epochs + 1, epochs=epochs)
        self._began, self._n_done = self._clock(), 0

    def on_train_batch_end(self, *_: Any) -> None:
        """Advance the bar; without one, say how far the epoch is where it is long."""
        self._bar.advance(self._task)
        self._n_done += 1
        if self._n_done < self._n_batches:
            self._say_within(f"batch {self._n_done} of {self._n_batches}")

    def on_validation_start(self, *_: Any) -> None:
        """Say what the bar waits for."""
        self._n_validated = 0
        self._bar.update(self._task, phase="validating")

    def on_validation_batch_end(self, *_: Any) -> None:
        """Say how far a long validation is."""
        self._n_validated += 1
        self._say_within(f"validating, batch {self._n_validated}")

    def on_validation_end(self, *_: Any) -> None:
        """Let the bar go on."""
        self._bar.update(self._task, phase="")

    def _say_within(self, what: str) -> None:
        """Log a line where no bar is drawn and nothing was said for long."""
        now = self._clock()
        if self._bar.disable and now - self._said >= LONGEST_SILENCE_S:
            self._said = now
            _log.info("epoch %d of %d: %s, %.0f s", self._budget.epochs + 1, self._max_epochs, what, now - self._began)

    def on_train_epoch_end(self, trainer: Trainer, _: LightningModule) -> None:
        """Log a line."""
        figures = _figures(trainer)
        judged = ""
        if "val/dice" in figures:
            self._best = max(self._best, figures["val/dice"])
            self._bar.update(self._task, dice=figures["val/dice"])
            judged = (
                f", validation loss {figures['val/loss']:.4f}, Dice {figures['val/dice']:.4f} (best {self._best:.4f})"
            )
        _log.info(
            "epoch %d of %d: loss %.4f%s, %.1f s",
            self._budget.epochs, self._max_epochs, figures["train/loss"], judged, self._budget.epoch_s,
        )  # fmt: skip
        self._said = self._clock()

    def teardown(self, *_: Any, **__: Any) -> None:
        """Take the bar away, after an error too."""
        self._bar.stop()


def _figures(trainer: Trainer) -> Row:
    """Return the epoch's figures; without validation, the loss of training alone."""
    return {name: float(trainer.callback_metrics[name]) for name in LOGGED if name in trainer.callback_metrics}


def copy_weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the network's weights on the CPU, not shared with it."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
