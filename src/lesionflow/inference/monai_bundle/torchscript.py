"""The network as TorchScript, which MONAI's programs for bundles load without our code: probabilities, flips at inference included."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from lesionflow.data.bundle import Bundle
from lesionflow.inference.backends import quiet_tracing
from lesionflow.inference.exports import Parity, compare_answers, network_of
from lesionflow.inference.patches import flip_combinations


class ProbabilityNetwork(nn.Module):
    """Probabilities of a network, averaged over all flips that a plan asks for.

    Args:
        network: Gives logits.
        flip_axes: Axes of its input.
    """

    def __init__(self, network: nn.Module, flip_axes: tuple[int, ...]) -> None:
        super().__init__()
        self.network = network
        self.flips = flip_combinations(flip_axes)

    def forward(self, image: Tensor) -> Tensor:
        """Map (batch, channel, [slice,] row, column) to probabilities."""
        found = [torch.sigmoid(self.network(image.flip(axes)).float()).flip(axes) for axes in self.flips]
        return torch.stack(found).mean(dim=0)


def write_program(bundle: Bundle, path: Path, extra_files: Mapping[str, str]) -> Parity:
    """Write the network as TorchScript.

    Args:
        bundle: The model.
        path: The file, ending in `.ts`.
        extra_files: Texts by name that lie inside it, where MONAI's deployment looks for them.

    Returns:
        How far its probabilities are from the network's own.

    Raises:
        ConfigError: When the bundle is no single network of ours.
        ArtifactError: When it answers otherwise.
    """
    network, example = network_of(bundle)
    flat = bundle.plan.dimensions == 2
    flips = tuple(axis + (1 if flat else 2) for axis in bundle.plan.inference.flip_axes if axis or not flat)
    module = ProbabilityNetwork(network, flips).eval().requires_grad_(requires_grad=False)
    with quiet_tracing(), torch.no_grad():
        torch.jit.save(torch.jit.trace(module, example), path, _extra_files=dict(extra_files))
        loaded = torch.jit.load(path)
        return compare_answers(module, example, lambda image: loaded(torch.from_numpy(image)).numpy(), path.name)
