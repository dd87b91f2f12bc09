"""The residual-encoder U-Net of nnU-Net's kind: a deep residual encoder, a light decoder, deep supervision.

As in nnU-Net's `ResidualEncoderUNet`: a stem, stages of residual blocks of which the first halves the size by its stride
(the shortcut averages, then a 1-kernel changes the channels), one convolution a stage on the way up, a head on each stage
of the decoder. The number of weights is that of dynamic-network-architectures 0.4.4, except that its decoder also keeps
the heads when deep supervision is off.

References:
    Isensee et al. 2024, "nnU-Net Revisited", DOI 10.1007/978-3-031-72114-4_47; residual blocks, He et al. 2016, DOI
    10.1109/CVPR.2016.90; deep supervision, Lee et al. 2015, arXiv:1409.5185.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lesionflow.models.architecture import Architecture
from lesionflow.models.blocks import (
    AVERAGES,
    CONVOLUTIONS,
    DROPOUTS,
    NORMALIZATIONS,
    TRANSPOSED,
    Activation,
    Dimensions,
    Logits,
    Normalization,
    activate,
    expect_rare,
    initialize,
)

#: nnU-Net's blocks of the stages of its residual encoders; deeper networks repeat the last.
BLOCKS = (1, 3, 4, 6, 6, 6, 6, 6)
#: nnU-Net's caps of the widths.
MAX_CHANNELS = {2: 512, 3: 320}


#: A size along each axis.
Axes = tuple[int, ...]


class _Maker:
    """Makes the layers of one network, all of one kind.

    Args:
        dimensions: 2 or 3.
        normalization: `instance`, `batch` or `none`.
        activation: `leaky_relu` or `relu`.
        dropout_fraction: Spatial dropout after the first convolution of a block.
        thick_levels: Levels at the top whose slices are much thicker than pixels.
    """

    def __init__(
        self,
        dimensions: Dimensions,
        normalization: Normalization,
        activation: Activation,
        dropout_fraction: float,
        thick_levels: int,
    ) -> None:
        self.dimensions = dimensions
        self.thick_levels = thick_levels
        self.normalize = NORMALIZATIONS[normalization, dimensions]
        self.activation = activation
        self.dropout_fraction = dropout_fraction
        # A bias before a normalization is idle.
        self.bias = normalization == "none"

    def convolve(self, source: int, target: int, level: int, stride: Axes) -> list[nn.Module]:
        """Return a convolution and its normalization."""
        kernel = self.axes(3, level < self.thick_levels)
        padding = tuple(n // 2 for n in kernel)
        convolution: Any = CONVOLUTIONS[self.dimensions]
        made = convolution(source, target, kernel, stride=stride, padding=padding, bias=self.bias)
        return [made, self.normalize(target)]

    def activated(
        self, source: int, target: int, level: int, stride: Axes | None = None, *, drop: bool = False
    ) -> nn.Sequential:
        """Return a convolution, normalized and activated."""
        dropout = [DROPOUTS[self.dimensions](self.dropout_fraction)] if drop and self.dropout_fraction else []
        layers = self.convolve(source, target, level, stride or self.axes(1))
        return nn.Sequential(*layers, *dropout, activate(self.activation))

    def stage(self, source: int, target: int, level: int, n_blocks: int) -> nn.Sequential:
        """Return residual blocks, the first of which changes size and channels."""
        first = ResidualBlock(self, source, target, level, self.stride(level))
        return nn.Sequential(
            first, *(ResidualBlock(self, target, target, level, self.axes(1)) for _ in range(n_blocks - 1))
        )

    def stride(self, level: int) -> Axes:
        """Return by what a level is smaller than the one above it."""
        return self.axes(2, level <= self.thick_levels) if level else self.axes(1)

    def axes(self, size: int, thick: bool = False) -> Axes:  # noqa: FBT001, FBT002 - a predicate of the caller's level
        """Return a size along each axis, 1 along slices where they are thick."""
        return (1 if thick else size, *[size] * (self.dimensions - 1)) if self.dimensions == 3 else (size, size)


class ResidualBlock(nn.Module):
    """Two convolutions with a shortcut around them.

    Args:
        make: Makes the layers.
        source: Channels of the input.
        target: Channels of the output.
        level: Halvings above it.
        stride: By which the first convolution, and averaging in the shortcut, shrink each axis.
    """

    def __init__(self, make: _Maker, source: int, target: int, level: int, stride: Axes) -> None:
        super().__init__()
        self.first = make.activated(source, target, level, stride, drop=True)
        self.second = nn.Sequential(*make.convolve(target, target, level, make.axes(1)))
        average: Any = AVERAGES[make.dimensions]
        shortcut: list[nn.Module] = [average(stride)] if max(stride) > 1 else []
        if source != target:
            convolution = CONVOLUTIONS[make.dimensions]
            shortcut += [convolution(source, target, 1, bias=False), make.normalize(target)]
        self.shortcut = nn.Sequential(*shortcut)
        self.last = activate(make.activation)

    def forward(self, features: Tensor) -> Tensor:
        """Map (batch, source, ...) to (batch, target, ...), each axis divided by the stride."""
        out: Tensor = self.last(self.second(self.first(features)) + self.shortcut(features))
        return out


class ResidualEncoderUNet(nn.Module):
    """Residual-encoder U-Net: `depth` halvings, channels doubling from `base_channels` up to nnU-Net's cap.

    Args:
        in_channels: Input channels.
        out_channels: Targets.
        dimensions: 2 or 3.
        base_channels: Channels at full resolution; nnU-Net has 32.
        depth: Number of halvings; sizes must be multiples of 2**depth.
        normalization: `instance`, `batch` or `none`.
        activation: `leaky_relu` or `relu`.
        dropout_fraction: Spatial dropout inside each residual block.
        thick_levels: Levels at the top that neither convolve nor halve along slices, because these are much thicker than
            pixels (nnU-Net's rule); slices must be multiples of 2**(depth - thick_levels) then. 0 in 2D.
        n_blocks: Residual blocks of each stage, the first at full resolution; nnU-Net's, cut to the depth, if empty.
        deep_supervision: Train through a head at each depth of the decoder; the finest alone speaks afterwards.
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
        dropout_fraction: float,
        thick_levels: int = 0,
        n_blocks: Sequence[int] = (),
        deep_supervision: bool = True,
    ) -> None:
        super().__init__()
        if not 0 <= thick_levels <= (depth if dimensions == 3 else 0):
            raise TypeError(f"thick_levels must be 0..{depth} in 3D and 0 in 2D, found {thick_levels}")
        make = _Maker(dimensions, normalization, activation, dropout_fraction, thick_levels)
        widths = [min(base_channels * 2**level, MAX_CHANNELS[dimensions]) for level in range(depth + 1)]
        blocks = [int(n) for n in n_blocks] or [BLOCKS[min(level, len(BLOCKS) - 1)] for level in range(depth + 1)]
        if len(blocks) != depth + 1:
            raise TypeError(f"n_blocks needs {depth + 1} numbers for depth {depth}, found {len(blocks)}")
        self.stem = make.activated(in_channels, widths[0], 0)
        inputs = [widths[0], *widths[:-1]]
        self.down = nn.ModuleList(
            make.stage(source, width, level, n)
            for level, (source, width, n) in enumerate(zip(inputs, widths, blocks, strict=True))
        )
        transposed: Any = TRANSPOSED[dimensions]
        steps = [make.stride(k + 1) for k in range(depth)]
        self.up = nn.ModuleList(
            transposed(widths[k + 1], widths[k], step, stride=step, bias=make.bias) for k, step in enumerate(steps)
        )
        self.merge = nn.ModuleList(make.activated(2 * widths[k], widths[k], k) for k in range(depth))
        n_heads = depth if deep_supervision else 1
        self.heads = nn.ModuleList(CONVOLUTIONS[dimensions](widths[k], out_channels, 1) for k in range(n_heads))
        initialize(self)
        for head in self.heads:
            expect_rare(head)

    def forward(self, image: Tensor) -> Logits:
        """Map (batch, channel, [slice,] row, column) to logits; in training with deep supervision of all depths."""
        skips = [self.down[0](self.stem(image))]
        for stage in list(self.down)[1:]:
            skips.append(stage(skips[-1]))
        features, outputs = skips[-1], []
        for level in reversed(range(len(self.up))):
            features = self.merge[level](torch.cat([skips[level], self.up[level](features)], dim=1))
            if level < len(self.heads) and (self.training or level == 0):
                outputs.append(self.heads[level](features))
        return tuple(reversed(outputs)) if len(outputs) > 1 else outputs[0]


ARCHITECTURE = Architecture(
    name="residual_encoder_unet",
    build=ResidualEncoderUNet,
    dimensions=(2, 3),
    small_options={
        "base_channels": 4,
        "depth": 2,
        "normalization": "instance",
        "activation": "leaky_relu",
        "dropout_fraction": 0.0,
        "n_blocks": [1, 2, 2],
    },
    encoder=r"(stem|down)\.",
    what="nnU-Net's residual encoder, a head at each depth of the decoder: the default of the GPU presets",
    weights="equal to dynamic-network-architectures 0.4.4: 105,890,726 (2D, six halvings), 102,339,311 (3D, five)",
)
