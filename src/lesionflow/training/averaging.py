"""An average of the weights over the last steps: what is validated and kept, while the weights themselves learn on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from torch import nn

from lesionflow.training.module import SegmentationModule

#: A young average forgets faster, or the weights drawn first would rule it: after n steps it keeps n / (n + this).
HASTE = 9


class AveragedWeights(Callback):
    """Keeps the exponential moving average of the weights, and puts it in their place wherever they are judged.

    After step n the average a follows the weights w by a = d a + (1 - d) w, d = min(decay, n / (n + 9)).

    Args:
        decay: Share of the old average that stays at each step, 0..1; with 0 the weights are their own average.
        before: What `state_dict` of the part before gave, when training is resumed.

    References:
        Polyak and Juditsky 1992, DOI 10.1137/0330046; in networks, Tarvainen and Valpola 2017, arXiv:1703.01780.
    """

    def __init__(self, decay: float, before: Mapping[str, Any] | None = None) -> None:
        self._decay = decay
        self._steps = int(before["steps"]) if before else 0
        self._average: dict[str, torch.Tensor] = dict(before["average"]) if before else {}

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs."""
        return {"steps": self._steps, "average": {name: part.cpu().clone() for name, part in self._average.items()}}

    def on_train_start(self, _: Trainer, pl_module: SegmentationModule) -> None:
        """Begin with the weights as they are, on their device."""
        if self._decay:
            now = pl_module.network.state_dict()
            self._average = {name: self._average.get(name, now[name]).to(now[name].device).clone() for name in now}

    @torch.no_grad()
    def on_train_batch_end(self, _: Trainer, pl_module: SegmentationModule, *__: Any) -> None:
        """Follow the weights by one step; counters are taken as they are."""
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + HASTE))
        now = pl_module.network.state_dict() if self._average else {}
        for name, part in self._average.items():
            if part.is_floating_point():
                part.lerp_(now[name], 1 - decay)
            else:
                part.copy_(now[name])

    def on_validation_start(self, _: Trainer, pl_module: SegmentationModule) -> None:
        """Put the average in the weights' place."""
        self._exchange(pl_module.network)

    def on_validation_end(self, _: Trainer, pl_module: SegmentationModule) -> None:
        """Put the weights back."""
        self._exchange(pl_module.network)

    @contextmanager
    def in_place(self, network: nn.Module) -> Iterator[None]:
        """Let a network have the average for a while.

        Args:
            network: The one that is trained.

        Yields:
            Nothing.
        """
        self._exchange(network)
        try:
            yield
        finally:
            self._exchange(network)

    @torch.no_grad()
    def _exchange(self, network: nn.Module) -> None:
        for name, weight in network.state_dict().items():
            if name in self._average:
                before = weight.clone()
                weight.copy_(self._average[name])
                self._average[name].copy_(before)
