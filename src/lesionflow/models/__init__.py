"""Networks of the papers, by name, and nothing that trains or runs them.

Each maps (batch, channel, [slice,] row, column) to logits of the targets.
A network with deep supervision gives a tuple of logits while it trains, the finest first; otherwise it gives one tensor.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import nn

from lesionflow.data.plan import ArchitecturePlan
from lesionflow.errors import ConfigError
from lesionflow.models.brats2020_unet import Brats2020UNet
from lesionflow.models.efficientnet_unet import EfficientNetUNet
from lesionflow.models.ensemble import Ensemble
from lesionflow.models.inception_unet import InceptionUNet
from lesionflow.models.residual_encoder_unet import ResidualEncoderUNet
from lesionflow.models.resnet_unet import ResNetUNet
from lesionflow.models.unet import UNet
from lesionflow.models.unetpp import UNetPlusPlus


class Architecture(NamedTuple):
    """A network: how it is built, in how many dimensions it exists, and options that a quick test may use.

    `encoder` is a regular expression matched at the start of the names of the weights that bring an image down to
    features: those that transfer learning may freeze. `halvings` is their number where no option `depth` says it.
    """

    build: Callable[..., nn.Module]
    dimensions: tuple[int, ...]
    small_options: Mapping[str, Any]
    encoder: str
    halvings: int = 0


_SMALL: Mapping[str, Any] = {
    "base_channels": 4,
    "depth": 2,
    "normalization": "instance",
    "activation": "leaky_relu",
    "residual": False,
    "dropout_fraction": 0.0,
}


def _attention_unet(in_channels: int, out_channels: int, dimensions: Any, **options: Any) -> nn.Module:
    return UNet(in_channels, out_channels, dimensions, attention=True, **options)


def _inception_unet(in_channels: int, out_channels: int, dimensions: int, **options: Any) -> nn.Module:  # noqa: ARG001
    return InceptionUNet(in_channels, out_channels, **options)


def _table_unet(in_channels: int, out_channels: int, dimensions: int) -> nn.Module:  # noqa: ARG001
    return Brats2020UNet(in_channels, out_channels)


_RESIDUAL = {key: value for key, value in _SMALL.items() if key != "residual"}
_RESNET: Mapping[str, Any] = {
    "encoder": "resnet10",
    "decoder_channels": 4,
    "normalization": "instance",
    "activation": "leaky_relu",
    "dropout_fraction": 0.0,
}
_EFFICIENTNET: Mapping[str, Any] = {**_RESNET, "encoder": "efficientnet-b0", "drop_connect_fraction": 0.0}

ARCHITECTURES: Mapping[str, Architecture] = {
    "unet": Architecture(UNet, (2, 3), _SMALL, r"down\."),
    "attention_unet": Architecture(_attention_unet, (2, 3), _SMALL, r"down\."),
    "unetpp": Architecture(UNetPlusPlus, (2, 3), {**_SMALL, "attention": True}, r"blocks\.\d+_0\."),
    "residual_encoder_unet": Architecture(
        ResidualEncoderUNet, (2, 3), {**_RESIDUAL, "n_blocks": [1, 2, 2]}, r"(stem|down)\."
    ),
    "resnet_unet": Architecture(ResNetUNet, (2, 3), _RESNET, r"encoder\.", halvings=5),
    "efficientnet_unet": Architecture(EfficientNetUNet, (2,), _EFFICIENTNET, r"encoder\.", halvings=5),
    "inception_unet": Architecture(
        _inception_unet, (3,), {"base_channels": 4, "depth": 2, "dropout_fraction": 0.0}, r"(stem|down)\."
    ),
    "table_unet": Architecture(_table_unet, (3,), {}, r"down\.", halvings=3),
}


def build_model(plan: ArchitecturePlan, *, in_channels: int, out_channels: int, dimensions: int) -> nn.Module:
    """Build a network with fresh weights.

    Args:
        plan: A key of `ARCHITECTURES`, that architecture's own options, and how many such networks answer as one.
        in_channels: Input channels.
        out_channels: Targets.
        dimensions: 2 or 3.

    Returns:
        The network, or an ensemble of such; its logits have the size of its input.

    Raises:
        ConfigError: When the name, an option or the number of dimensions does not exist; the message offers the nearest.
    """
    name, options = plan.name, plan.options
    architecture = ARCHITECTURES.get(name)
    if architecture is None:
        near = difflib.get_close_matches(name, ARCHITECTURES, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(f"Expected an architecture of {', '.join(ARCHITECTURES)}, found {name!r}.{hint}")
    if dimensions not in architecture.dimensions:
        raise ConfigError(
            f"Expected {name} in {architecture.dimensions} dimensions, found {dimensions}. Set plan.dimensions."
        )
    try:
        members = [architecture.build(in_channels, out_channels, dimensions, **options) for _ in range(plan.n_members)]
    except TypeError as error:
        known = ", ".join(inspect.signature(architecture.build).parameters)
        raise ConfigError(f"Expected options that {name} knows ({known}), found {dict(options)}: {error}.") from error
    return members[0] if len(members) == 1 else Ensemble(members)


def size_multiple(plan: ArchitecturePlan) -> int:
    """Return the number that each patch axis must be a multiple of: two to the power of the network's halvings."""
    architecture = ARCHITECTURES.get(plan.name)
    return 2 ** int(plan.options.get("depth", architecture.halvings if architecture else 0))
