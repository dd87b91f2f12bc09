"""Weights learned elsewhere, put into a network as far as they fit."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from lesionflow.data.plan import ArchitecturePlan
from lesionflow.errors import ArtifactError
from lesionflow.models import find_architecture


@dataclass(frozen=True)
class Transfer:
    """What became of each weight, by name.

    Args:
        loaded: Taken as they are.
        adapted: The first convolution's, taken for another number of input channels.
        fresh: The network's own that nothing fitted: drawn anew.
        unused: The source's that fit nowhere.
    """

    loaded: tuple[str, ...]
    adapted: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]


def transfer_weights(network: nn.Module, source: Mapping[str, Tensor], plan: ArchitecturePlan) -> Transfer:
    """Load those weights of a source that a network has too, by name and shape.

    Names are compared as they are; those of a bare encoder (torchvision's and MedicalNet's) with `encoder.` before them.
    The first convolution takes weights of another number of input channels: their mean over the source's
    channels, for each of its own, times the quotient of the numbers, so that like images give like features.

    Args:
        network: What to load into.
        source: Weights by name.
        plan: The network's architecture, for messages.

    Returns:
        What was loaded and what was not.

    Raises:
        ArtifactError: `source` has no weight of the network's encoder: it belongs to another architecture.
    """
    own = network.state_dict()
    bare = not any(name in own for name in source) and any(f"encoder.{name}" in own for name in source)
    renamed = {f"encoder.{name}" if bare else name: weight for name, weight in source.items()}
    loaded, adapted, first = [], [], _first_convolution(own)
    for name, weight in own.items():
        given = renamed.get(name)
        if given is None:
            continue
        if given.shape == weight.shape:
            loaded.append(name)
        elif name == first and _differs_in_input_channels_alone(given, weight):
            adapted.append(name)
            given = adapt_channels(given, weight.shape[1])
        else:
            continue
        weight.copy_(given.to(weight.dtype))
    taken = {*loaded, *adapted}
    if not any(is_encoder(name, plan.name) for name in taken):
        raise ArtifactError(
            f"Expected weights for the encoder of {plan.name} in train.transfer.source, found none that fits among "
            f"{len(source)}, such as {', '.join(list(source)[:3])}. Name a source of the same architecture and options."
        )
    return Transfer(
        tuple(loaded),
        tuple(adapted),
        tuple(name for name in own if name not in taken),
        tuple(name for name in renamed if name not in taken),
    )


def adapt_channels(weight: Tensor, n_channels: int) -> Tensor:
    """Make the weights of a convolution fit another number of input channels.

    Args:
        weight: (out, in, ...).
        n_channels: Input channels wanted.

    Returns:
        (out, n_channels, ...): the mean over `in`, times in / n_channels, for each; what equal channels give stays.
    """
    mean = weight.float().mean(dim=1, keepdim=True) * (weight.shape[1] / n_channels)
    return mean.repeat(1, n_channels, *([1] * (weight.ndim - 2)))


def is_encoder(name: str, architecture: str) -> bool:
    """Tell whether a weight belongs to the encoder of an architecture.

    Args:
        name: The weight's.
        architecture: The architecture's name.
    """
    return re.match(find_architecture(architecture).encoder, name) is not None


def _differs_in_input_channels_alone(given: Tensor, own: Tensor) -> bool:
    same_rank = given.ndim == own.ndim and own.ndim > 3
    return same_rank and given.shape[0] == own.shape[0] and given.shape[2:] == own.shape[2:]


def _first_convolution(own: Mapping[str, Tensor]) -> str:
    """Return the name of the weights that see the image."""
    return next(name for name, weight in own.items() if weight.ndim > 3)
