"""U-Net in 2D and 3D.

References:
    Ronneberger et al. 2015, DOI 10.1007/978-3-319-24574-4_28; in 3D, Cicek et al. 2016, DOI 10.1007/978-3-319-46723-8_49;
    attention gates, Oktay et al. 2018, arXiv:1804.03999.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lesionflow.models.architecture import Architecture
from lesionflow.models.blocks import (
    CONVOLUTIONS,
    POOLINGS,
    TRANSPOSED,
    Activation,
    ConvolutionBlock,
    Dimensions,
    Normalization,
    expect_rare,
    initialize,
)


class AttentionGate(nn.Module):
    """Weigh a skip connection by what the decoder already knows.

    Args:
        channels: Channels of the skip connection and of the upsampled decoder features.
        dimensions: 2 or 3.
    """

    def __init__(self, channels: int, dimensions: Dimensions) -> None:
        super().__init__()
        convolution, inner = CONVOLUTIONS[dimensions], max(channels // 2, 1)
        self.skip = convolution(channels, inner, 1, bias=False)
        self.gate = convolution(channels, inner, 1)
        self.weigh = convolution(inner, 1, 1)

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        """Return the skip connection (batch, channels, ...) times its attention in 0..1."""
        attention = torch.sigmoid(self.weigh(torch.relu(self.skip(skip) + self.gate(gate))))
        return skip * attention


class UNet(nn.Module):
    """U-Net: `depth` halvings, channels doubling from `base_channels`, capped at `max_channels`.

    Args:
        in_channels: Input channels.
        out_channels: Targets.
        dimensions: 2 or 3.
        base_channels: Channels at full resolution.
        depth: Number of max poolings; sizes must be multiples of 2**depth.
        normalization: `instance`, `batch` or `none`.
        activation: `leaky_relu` or `relu`.
        residual: Residual blocks.
        dropout_fraction: Spatial dropout inside each block.
        attention: Attention gates on the skip connections.
        max_channels: Cap of the doubling.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dimensions: Dimensions,
        *,
        base_channels: int,
        depth: int,
        normalization: Normalization,
        activation: Activation,
        residual: bool,
        dropout_fraction: float,
        attention: bool = False,
        max_channels: int = 320,
    ) -> None:
        super().__init__()

        def block(source: int, target: int) -> ConvolutionBlock:
            return ConvolutionBlock(
                source,
                target,
                dimensions,
                normalization,
                activation,
                residual=residual,
                dropout_fraction=dropout_fraction,
            )

        widths = [min(base_channels * 2**level, max_channels) for level in range(depth + 1)]
        inputs = [in_channels, *widths[:-1]]
        self.down = nn.ModuleList(block(source, width) for source, width in zip(inputs, widths, strict=True))
        self.pool = POOLINGS[dimensions](2)
        self.up = nn.ModuleList(
            TRANSPOSED[dimensions](widths[level + 1], widths[level], 2, stride=2) for level in range(depth)
        )
        self.gates = nn.ModuleList(AttentionGate(widths[level], dimensions) for level in range(depth) if attention)
        self.merge = nn.ModuleList(block(2 * widths[level], widths[level]) for level in range(depth))
        self.output = CONVOLUTIONS[dimensions](widths[0], out_channels, 1)
        initialize(self)
        expect_rare(self.output)

    def forward(self, image: Tensor) -> Tensor:
        """Map (batch, channel, [slice,] row, column) to logits (batch, target, [slice,] row, column)."""
        skips: list[Tensor] = []
        features = image
        for level, down in enumerate(self.down):
            features = down(features if level == 0 else self.pool(features))
            if level < len(self.up):
                skips.append(features)
        for level in reversed(range(len(self.up))):
            features = self.merge[level](self._join(level, skips.pop(), self.up[level](features)))
        logits: Tensor = self.output(features)
        return logits

    def _join(self, level: int, skip: Tensor, above: Tensor) -> Tensor:
        """Return both in one tensor; on its own, so that nothing holds the two while the convolutions run."""
        weighed = self.gates[level](skip, above) if len(self.gates) else skip
        return torch.cat([weighed, above], dim=1)


_SMALL: Mapping[str, Any] = {
    "base_channels": 4,
    "depth": 2,
    "normalization": "instance",
    "activation": "leaky_relu",
    "residual": False,
    "dropout_fraction": 0.0,
}

ARCHITECTURE = Architecture(
    name="unet",
    build=UNet,
    dimensions=(2, 3),
    small_options=_SMALL,
    encoder=r"down\.",
    what="Ronneberger 2015: depth, width, normalization, activation, residual blocks and dropout are options",
    weights="counted by hand in the tests",
)


def _with_attention(in_channels: int, out_channels: int, dimensions: Dimensions, **options: Any) -> nn.Module:
    return UNet(in_channels, out_channels, dimensions, attention=True, **options)


ATTENTION = Architecture(
    name="attention_unet",
    build=_with_attention,
    dimensions=(2, 3),
    small_options=_SMALL,
    encoder=r"down\.",
    what="U-Net with attention gates on the skip connections (Oktay 2018)",
)
