"""Pieces that the networks share, in 2D and 3D."""

import math
from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

Dimensions = Literal[2, 3]
Normalization = Literal["instance", "batch", "none"]
Activation = Literal["leaky_relu", "relu"]
#: What a network gives: logits; in training with deep supervision those of several heads, the finest first.
Logits = Tensor | tuple[Tensor, ...]

CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]] = {
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
NORMALIZATIONS: dict[tuple[str, int], Callable[[int], nn.Module]] = {
    ("instance", 2): lambda n: nn.InstanceNorm2d(n, affine=True),
    ("instance", 3): lambda n: nn.InstanceNorm3d(n, affine=True),
    ("batch", 2): nn.BatchNorm2d,
    ("batch", 3): nn.BatchNorm3d,
    ("none", 2): lambda _: nn.Identity(),
    ("none", 3): lambda _: nn.Identity(),
}
POOLINGS: dict[int, type[nn.MaxPool2d] | type[nn.MaxPool3d]] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGES: dict[int, type[nn.AvgPool2d] | type[nn.AvgPool3d]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}
DROPOUTS: dict[int, type[nn.Dropout2d] | type[nn.Dropout3d]] = {2: nn.Dropout2d, 3: nn.Dropout3d}
LEAK = 0.01
#: Chance of a voxel to be tumor, before anything is learned.
PRIOR = 0.01


def activate(activation: Activation) -> nn.Module:
    """Return the activation as a module."""
    return nn.LeakyReLU(LEAK, inplace=True) if activation == "leaky_relu" else nn.ReLU(inplace=True)


class ConvolutionBlock(nn.Module):
    """Two 3-kernel convolutions, each normalized and activated; optionally with a residual path around both.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        dimensions: 2 or 3.
        normalization: `instance`, `batch` or `none`.
        activation: `leaky_relu` or `relu`.
        residual: Add the input (by a 1-kernel where channels differ) before the last activation. He et al. 2016,
            DOI 10.1109/CVPR.2016.90.
        dropout_fraction: Spatial dropout after the first convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dimensions: Dimensions,
        normalization: Normalization,
        activation: Activation,
        *,
        residual: bool,
        dropout_fraction: float,
    ) -> None:
        super().__init__()
        convolution, normalize = CONVOLUTIONS[dimensions], NORMALIZATIONS[normalization, dimensions]
        bias = normalization == "none"
        self.first = nn.Sequential(
            convolution(in_channels, out_channels, 3, padding=1, bias=bias),
            normalize(out_channels),
            activate(activation),
            DROPOUTS[dimensions](dropout_fraction) if dropout_fraction else nn.Identity(),
        )
        self.second = nn.Sequential(
            convolution(out_channels, out_channels, 3, padding=1, bias=bias), normalize(out_channels)
        )
        self.shortcut: nn.Module | None = None
        if residual:
            same = in_channels == out_channels
            self.shortcut = nn.Identity() if same else convolution(in_channels, out_channels, 1, bias=False)
        self.last = activate(activation)

    def forward(self, features: Tensor) -> Tensor:
        """Map (batch, in_channels, ...) to (batch, out_channels, ...), same size."""
        out = self.second(self.first(features))
        if self.shortcut is not None:
            out = out + self.shortcut(features)
        result: Tensor = self.last(out)
        return result


def initialize(network: nn.Module) -> None:
    """Draw the weights of all convolutions by He et al. 2015 (DOI 10.1109/ICCV.2015.123), biases 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            nn.init.kaiming_normal_(module.weight, a=LEAK)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def expect_rare(head: nn.Module) -> None:
    """Let a head of logits begin with "hardly any voxel is tumor", which otherwise takes the first hundreds of steps.

    References:
        Lin et al. 2017, DOI 10.1109/ICCV.2017.324, section 3.3.
    """
    nn.init.constant_(head.get_parameter("bias"), math.log(PRIOR / (1 - PRIOR)))
