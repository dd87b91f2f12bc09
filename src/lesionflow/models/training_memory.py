"""How much memory training a network takes, computed without running it: what autograd keeps, counted on shapes alone."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from lesionflow.models.meta_shapes import ByShape

#: float32 copies of every weight: itself, its gradient, and Adam's two moments.
COPIES_OF_A_WEIGHT = 4
#: Gradients that live at once on the way back, in units of the largest tensor kept: what comes in and what goes out.
GRADIENTS_AT_ONCE = 2
#: What kernels and allocator take beside, measured: with it, eight networks on a CPU reached 0.7 to 1.1 of the estimate.
HEADROOM = 1.5
#: What the libraries take whatever the network.
LIBRARIES_MB = 100.0
BYTES = 4


def training_memory_mb(
    build_network: Callable[[], nn.Module], in_channels: int, size: tuple[int, ...]
) -> tuple[float, float]:
    """Compute the memory that training holds in float32.

    A forward pass runs on torch's `meta` device, which knows shapes and holds no values; counted is each tensor that
    autograd keeps for the way back.

    Args:
        build_network: Makes the network.
        in_channels: Input channels.
        size: Of a patch: ([slice,] row, column), each a multiple of what the network can halve.

    Returns:
        MB that do not depend on the batch (weights, gradients, optimizer), and MB of each sample.
    """
    with torch.device("meta"), ByShape():
        network = build_network().train()
        weights = sum(weight.numel() for weight in network.parameters())
        one, two = (_kept_bytes(network, torch.empty(n, in_channels, *size)) for n in (1, 2))
    return LIBRARIES_MB + weights * BYTES * COPIES_OF_A_WEIGHT / 1e6, HEADROOM * (two - one) / 1e6


def _kept_bytes(network: nn.Module, image: torch.Tensor) -> int:
    """Return bytes kept by autograd, and those of the gradients beside them at the widest place."""
    own = {weight.untyped_storage()._cdata for weight in network.parameters()}  # noqa: SLF001 - a storage has no other name
    kept: dict[int, Any] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:  # noqa: SLF001
            # Holding it keeps its name from being given to another.
            kept[storage._cdata] = storage  # noqa: SLF001
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = network(image)
    del outputs
    sizes = [storage.nbytes() for storage in kept.values()]
    return sum(sizes) + GRADIENTS_AT_ONCE * max(sizes)
