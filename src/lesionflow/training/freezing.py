"""An encoder that came with weights stays as it is for some epochs, while the rest learns to use it."""

import re

from pytorch_lightning import Callback, Trainer
from torch import nn

from lesionflow.training.module import SegmentationModule
from lesionflow.training.recipe import Recipe
from lesionflow.training.schedule import TimeBudget

#: SyncBatchNorm takes the others' place where several GPUs train together.
NORMALIZATIONS = (nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class FrozenEncoder(Callback):
    """Freezes the encoder in the first epochs: no gradients, and batch normalization keeps its statistics.

    Args:
        recipe: Says for how many epochs, and which weights the encoder's are.
        budget: Counts the epochs, those before a resume included.
    """

    def __init__(self, recipe: Recipe, budget: TimeBudget) -> None:
        self._recipe = recipe
        self._budget = budget

    def on_train_epoch_start(self, _: Trainer, pl_module: SegmentationModule) -> None:
        """Freeze or thaw."""
        if not self._recipe.frozen_epochs:
            return
        learns = self._budget.epochs >= self._recipe.frozen_epochs
        for name, parameter in pl_module.network.named_parameters():
            if re.match(self._recipe.encoder, name):
                parameter.requires_grad_(learns)
        for name, module in pl_module.network.named_modules():
            if isinstance(module, NORMALIZATIONS) and re.match(self._recipe.encoder, f"{name}."):
                module.train(learns)
