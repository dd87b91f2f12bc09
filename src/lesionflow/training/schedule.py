"""The learning rate of each epoch, and the time that is left."""

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from lesionflow.errors import LesionFlowError
from lesionflow.training.process_group import SINGLE_PROCESS, ProcessGroup
from lesionflow.training.recipe import Recipe

#: What a training is stopped by when its minutes are over.
OUT_OF_TIME = "max_minutes"
#: nnU-Net's exponent (DOI 10.1038/s41592-020-01008-z).
POLYNOMIAL_POWER = 0.9
#: Of the whole budget: kept back for the first validation, whose length is not known yet.
FIRST_VALIDATION_FRACTION = 0.1
#: Of the measured time: room for a validation or an epoch that takes longer than the longest so far.
MARGIN = 1.1


class TimeBudget(Callback):
    """Stops training before its minutes are over.

    Args:
        recipe: How to train; its minutes are those of all parts of a resumed training together.
        elapsed_s: Seconds trained by the parts before.
        epochs_done: Epochs trained by the parts before.
        validates: Whether each epoch ends with a validation.
        processes: All stop where one of its clocks says so.
        warms_up: Whether the first batch is no measure of the others, as a network is compiled in it.
    """

    def __init__(
        self,
        recipe: Recipe,
        elapsed_s: float,
        epochs_done: int,
        *,
        validates: bool = True,
        processes: ProcessGroup = SINGLE_PROCESS,
        warms_up: bool = False,
    ) -> None:
        self._processes = processes
        self._warms_up = warms_up
        self.max_s = recipe.max_minutes * 60
        self.exhausted = False
        self.epochs = epochs_done
        self._before_s = elapsed_s
        self._started = self._epoch_started = self._validation_started = time.monotonic()
        self._validation_s: float | None = None if validates else 0.0
        self._longest_epoch_s = elapsed_s / epochs_done if epochs_done else 0.0

    @property
    def elapsed_s(self) -> float:
        """Seconds trained."""
        return self._before_s + time.monotonic() - self._started

    @property
    def epoch_s(self) -> float:
        """Seconds since the present epoch began."""
        return time.monotonic() - self._epoch_started

    @property
    def affordable_epochs(self) -> float:
        """Epochs that the budget allows, done ones included; infinite before the first is measured."""
        if not self._longest_epoch_s:
            return math.inf
        return self.epochs + max(0.0, self.max_s - self.elapsed_s) / self._longest_epoch_s

    @property
    def fits_another_epoch(self) -> bool:
        """Whether a whole epoch more can be afforded."""
        return self.elapsed_s + MARGIN * self._longest_epoch_s < self.max_s

    def too_short(self) -> LesionFlowError:
        """Return the error of a budget in which not one epoch was trained."""
        return LesionFlowError("Expected at least one epoch of training, found none: raise train.max_minutes.")

    def on_train_epoch_start(self, *_: Any) -> None:
        """Start the clock of the epoch."""
        self._epoch_started = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Break off an epoch when only the validation would still fit."""
        if self._warms_up:
            self._epoch_started, self._warms_up = time.monotonic(), False
        reserve = FIRST_VALIDATION_FRACTION * self.max_s if self._validation_s is None else MARGIN * self._validation_s
        if self._processes.any(self.elapsed_s + reserve >= self.max_s):
            self._stop(trainer)

    def on_validation_start(self, *_: Any) -> None:
        """Start the clock of the validation."""
        self._validation_started = time.monotonic()

    def on_validation_end(self, *_: Any) -> None:
        """Remember how long the longest validation took."""
        self._validation_s = max(self._validation_s or 0.0, time.monotonic() - self._validation_started)

    def on_train_epoch_end(self, trainer: Trainer, _: LightningModule) -> None:
        """Stop when no whole epoch fits any more."""
        self.epochs += 1
        self._longest_epoch_s = max(self._longest_epoch_s, self.epoch_s)
        if self._processes.any(not self.fits_another_epoch):
            self._stop(trainer)

    def _stop(self, trainer: Trainer) -> None:
        self.exhausted = trainer.should_stop = True


class StopOnRequest(Callback):
    """Ends training after the present batch and a validation, when somebody asks for it.

    Args:
        should_stop: Asked after each batch.
        processes: All stop where one is asked to.
    """

    def __init__(self, should_stop: Callable[[], bool], processes: ProcessGroup = SINGLE_PROCESS) -> None:
        self.requested = False
        self._processes = processes
        self._should_stop = should_stop

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Ask."""
        if not self.requested and self._processes.any(self._should_stop()):
            self.requested = trainer.should_stop = True


class Schedule(Callback):
    """Sets the learning rate at the start of each epoch.

    `plateau` falls by a factor after some epochs without a better validation Dice; `polynomial` and `cosine` reach zero
    at the last epoch that `max_epochs` and the budget allow.

    Args:
        recipe: How to train.
        budget: What says how many epochs can be afforded.
        processes: All learn at the leader's rate.
    """

    def __init__(self, recipe: Recipe, budget: TimeBudget, processes: ProcessGroup = SINGLE_PROCESS) -> None:
        self._processes = processes
        self.recipe = recipe
        self.budget = budget
        # torch's own scheduler wants an optimizer; a stand-in lets it be restored before the real one exists.
        self._stand_in = torch.optim.SGD([torch.zeros(1)], lr=recipe.learning_rate)
        self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self._stand_in, mode="max", factor=recipe.plateau_factor, patience=recipe.plateau_patience_epochs
        )
        self.learning_rate = recipe.learning_rate

    def on_train_epoch_start(self, trainer: Trainer, _: LightningModule) -> None:
        """Set the learning rate."""
        self.learning_rate = self._processes.share(self._now())
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = self.learning_rate * group.get("fraction", 1.0)

    def on_train_epoch_end(self, trainer: Trainer, _: LightningModule) -> None:
        """Tell the plateau how good the epoch was, where that is known."""
        if "val/dice" in trainer.callback_metrics:
            self._plateau.step(float(trainer.callback_metrics["val/dice"]))

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs."""
        return {"plateau": self._plateau.state_dict(), "learning_rate": self._stand_in.param_groups[0]["lr"]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""
        self._plateau.load_state_dict(state_dict["plateau"])
        self._stand_in.param_groups[0]["lr"] = state_dict["learning_rate"]

    def _now(self) -> float:
        if self.recipe.scheduler == "plateau":
            return float(self._stand_in.param_groups[0]["lr"])
        horizon = min(float(self.recipe.max_epochs), max(1.0, self.budget.affordable_epochs))
        progress = min(self.budget.epochs / horizon, 1.0)
        shape = (1 - progress) ** POLYNOMIAL_POWER
        if self.recipe.scheduler == "cosine":
            shape = (1 + math.cos(math.pi * progress)) / 2
        return self.recipe.learning_rate * shape
