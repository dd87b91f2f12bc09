"""The Lightning module: a network, its loss, and the Dice of whole validation slices."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import nn

from lesionflow.models.blocks import Logits
from lesionflow.training.batches.datamodule import Batch
from lesionflow.training.batches.slabs import SlabBatch
from lesionflow.training.losses import LOSSES, loss_of_shares, over_outputs, part_known
from lesionflow.training.process_group import SINGLE_PROCESS, ProcessGroup
from lesionflow.training.recipe import Recipe

SGD_MOMENTUM = 0.9

Counts = dict[int, torch.Tensor]


class NonFiniteLossError(ArithmeticError):
    """The loss became NaN or infinite; `fit` turns it into a stop with a reason."""


class SegmentationModule(LightningModule):
    """Trains a network that gives logits (batch, target, [slice,] row, column).

    Logs `train/loss`, `val/loss`, `val/dice` (mean over cases and targets) and `val/dice_pooled` (all voxels of all
    cases as one). A case without tumor where none is found has Dice 1, where some is found 0.

    Args:
        network: From `models.build_model`.
        recipe: How to train.
        processes: The processes that train together; what each finds in its share of the validation is put together.
        compiled: Whether training steps go through `torch.compile`; validation, whose slices vary in size, does not.
    """

    def __init__(
        self, network: nn.Module, recipe: Recipe, processes: ProcessGroup = SINGLE_PROCESS, *, compiled: bool = False
    ) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.processes = processes
        self._step: Callable[[torch.Tensor], Logits] = torch.compile(network.forward) if compiled else network.__call__
        self._training_loss = loss_of_shares(recipe.loss, processes.total)
        # Alone: processes have unequal numbers of validation batches, and would wait for one another for ever.
        self._loss = LOSSES[recipe.loss]
        self._counts: Counts = {}
        self._losses = [0.0, 0.0]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        logits: torch.Tensor = self.network(image)
        return logits

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the recipe's optimizer."""
        return make_optimizer(self.network, self.recipe)

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        """Return the loss of one batch.

        Raises:
            NonFiniteLossError: When it is NaN or infinite.
        """
        image, target = batch
        loss = over_outputs(self._training_loss, self._step(image), target)
        self._require_finite(float(loss.detach()))
        self.log(
            "train/loss", loss, on_step=False, on_epoch=True, batch_size=len(image), sync_dist=self.processes.size > 1
        )
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the counts of the epoch before."""
        self._counts, self._losses = {}, [0.0, 0.0]
        self.processes.align(self.network)

    def validation_step(self, batch: SlabBatch, _: int) -> None:
        """Count right and wrong voxels of some slices of one case."""
        size = batch.mask.shape[2:]
        logits = self(batch.image)[(..., *(slice(n) for n in size))]
        n_slices = len(batch.image)
        self._losses = [self._losses[0] + n_slices * float(self._loss(logits, batch.mask)), self._losses[1] + n_slices]
        predicted = torch.sigmoid(logits.float()) >= self.recipe.probability_threshold
        reference, known = part_known(predicted, batch.mask.bool())
        counts = count_voxels(predicted, reference, known).cpu()
        self._counts[batch.case] = self._counts.get(batch.case, torch.zeros_like(counts)) + counts

    def on_validation_epoch_end(self) -> None:
        """Log loss and Dice of all cases.

        Raises:
            NonFiniteLossError: When the loss is NaN or infinite: the epoch's last step harmed the weights.
        """
        losses = torch.tensor(self.processes.gather(self._losses)).sum(0)
        loss = float(losses[0] / losses[1])
        self._require_finite(loss)
        self.log("val/loss", loss)
        counts = torch.stack(list(_united(self.processes.gather(self._counts)).values()))
        self.log("val/dice", dice_of_counts(counts).mean())
        self.log("val/dice_pooled", dice_of_counts(counts.sum(0)).mean())

    def _require_finite(self, loss: float) -> None:
        # All processes stop where one must.
        if self.processes.any(not math.isfinite(loss)):
            raise NonFiniteLossError(
                f"the loss became {loss}" + (" here or in another process" * (self.processes.size > 1))
            )


def _united(parts: Sequence[Counts]) -> Counts:
    """Add the counts that processes made of parts of the cases."""
    counts: Counts = {}
    for part in parts:
        for case, found in part.items():
            counts[case] = counts[case] + found if case in counts else found
    return {case: counts[case] for case in sorted(counts)}


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Make the optimizer that a recipe names.

    Args:
        network: Whose parameters are trained.
        recipe: How to train.

    Returns:
        The optimizer.
    """
    common: dict[str, Any] = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
    parameters = _groups(network, recipe)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, momentum=SGD_MOMENTUM, nesterov=True, **common)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, **common)
    return torch.optim.Adam(parameters, **common)


def _groups(network: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Divide the parameters in two where the encoder learns at another rate; `Schedule` reads each group's fraction."""
    fraction = recipe.encoder_learning_rate_fraction
    if fraction == 1.0:
        return [{"params": list(network.parameters())}]
    parts: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, parameter in network.named_parameters():
        parts[re.match(recipe.encoder, name) is not None].append(parameter)
    encoder = {"params": parts[True], "fraction": fraction, "lr": recipe.learning_rate * fraction}
    return [encoder, {"params": parts[False]}]


def count_voxels(predicted: torch.Tensor, reference: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
    """Count true positives, false positives and false negatives of each target.

    Args:
        predicted: Bool (batch, target, ...).
        reference: Bool, of the same shape.
        known: Bool (batch, 1, ...): the voxels that count; None for all.

    Returns:
        int64 (target, 3).
    """
    axes = (0, *range(2, predicted.ndim))
    if known is not None:
        predicted, reference = predicted & known, reference & known
    pairs = (predicted & reference, predicted & ~reference, ~predicted & reference)
    return torch.stack([pair.sum(axes) for pair in pairs], dim=-1)


def dice_of_counts(counts: torch.Tensor) -> torch.Tensor:
    """Return 2 TP / (2 TP + FP + FN) along the last axis; 1 where all three are 0."""
    true_positive, wrong = counts[..., 0].double(), counts[..., 1:].sum(-1).double()
    both = 2 * true_positive + wrong
    return torch.where(both > 0, 2 * true_positive / both.clamp(min=1), torch.ones_like(both))
