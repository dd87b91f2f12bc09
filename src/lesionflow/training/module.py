"""The Lightning module: a network, its loss, and the Dice of whole validation slices."""

import re
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import nn

from lesionflow.training.datamodule import Batch
from lesionflow.training.losses import LOSSES, over_outputs
from lesionflow.training.recipe import Recipe
from lesionflow.training.slabs import SlabBatch

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
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self._loss = LOSSES[recipe.loss]
        self._counts: Counts = {}

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
        loss = _finite(over_outputs(self._loss, self.network(image), target))
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(image))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the counts of the epoch before."""
        self._counts = {}

    def validation_step(self, batch: SlabBatch, _: int) -> None:
        """Count right and wrong voxels of some slices of one case.

        Raises:
            NonFiniteLossError: When the loss is NaN or infinite: the epoch's last step harmed the weights.
        """
        size = batch.mask.shape[2:]
        logits = self(batch.image)[(..., *(slice(n) for n in size))]
        loss = _finite(self._loss(logits, batch.mask))
        self.log("val/loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.image))
        predicted = torch.sigmoid(logits.float()) >= self.recipe.probability_threshold
        counts = count_voxels(predicted, batch.mask.bool())
        self._counts[batch.case] = self._counts.get(batch.case, torch.zeros_like(counts)) + counts

    def on_validation_epoch_end(self) -> None:
        """Log the Dice of all cases."""
        counts = torch.stack(list(self._counts.values()))
        self.log("val/dice", dice_of_counts(counts).mean())
        self.log("val/dice_pooled", dice_of_counts(counts.sum(0)).mean())


def _finite(loss: torch.Tensor) -> torch.Tensor:
    if not torch.isfinite(loss):
        raise NonFiniteLossError(f"the loss became {loss.item()}")
    return loss


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


def count_voxels(predicted: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Count true positives, false positives and false negatives of each target.

    Args:
        predicted: Bool (batch, target, ...).
        reference: Bool, of the same shape.

    Returns:
        int64 (target, 3).
    """
    axes = (0, *range(2, predicted.ndim))
    pairs = (predicted & reference, predicted & ~reference, ~predicted & reference)
    return torch.stack([pair.sum(axes) for pair in pairs], dim=-1)


def dice_of_counts(counts: torch.Tensor) -> torch.Tensor:
    """Return 2 TP / (2 TP + FP + FN) along the last axis; 1 where all three are 0."""
    true_positive, wrong = counts[..., 0].double(), counts[..., 1:].sum(-1).double()
    both = 2 * true_positive + wrong
    return torch.where(both > 0, 2 * true_positive / both.clamp(min=1), torch.ones_like(both))
