"""How large a network's convolutions are for a study, counted on shapes alone: nothing is allocated, nothing computed."""

from typing import Any, NamedTuple

import torch
from torch import nn

from lesionflow.data.geometry import Shape
from lesionflow.data.plan import Plan
from lesionflow.models import build_model, size_multiple


class ConvolutionSize(NamedTuple):
    """One convolution: numbers that go in, that come out, and weights behind each of these."""

    n_in: int
    n_out: int
    n_weights: int


def convolution_sizes(plan: Plan, shape: Shape, batch_size: int = 1) -> list[ConvolutionSize]:
    """Return the convolutions of a network of this plan, in the order in which they run.

    Args:
        plan: Of the network; the first stage of a cascade is passed over.
        shape: (slice, row, column) of a study in model space: a 2D network sees whole planes, a 3D network patches.
        batch_size: Inputs at once.
    """
    multiple = size_multiple(plan.architecture)
    size = plan.patch_size if plan.dimensions == 3 else tuple(-(-n // multiple) * multiple for n in shape[1:])
    found: list[ConvolutionSize] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            found.append(ConvolutionSize(inputs[0].numel(), output.numel(), module.weight[0].numel()))

    with torch.device("meta"), torch.inference_mode():
        network = build_model(
            plan.architecture, in_channels=plan.in_channels, out_channels=len(plan.targets), dimensions=plan.dimensions
        ).eval()
        for module in network.modules():
            module.register_forward_hook(note)
        network(torch.empty(batch_size, plan.in_channels, *size))
    return found
