"""The inception 3D U-Net: parallel 1, 3 and 5 kernels at every depth, and heads of several depths added up.

The paper gives the parts (residual inception modules named RI-n, kernels 1, 3 and 5 concatenated and mixed by 1x1x1,
instance normalization, leaky ReLU, max pooling, transposed convolutions on the way up, 1x1x1 heads with spatial dropout
on RI-32, RI-16, RI-8 and RI-3, upsampled and added, sigmoid for WT, TC, ET) and the total, 10.5 million parameters, but no
table of widths. Ours doubles from `base_channels` at each depth; 26 at the top and four poolings give 10.2 million.

References:
    Kernels and modules: Szegedy et al. 2015, DOI 10.1109/CVPR.2015.7298594. U-Net in 3D: Cicek et al. 2016, DOI
    10.1007/978-3-319-46723-8_49.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lesionflow.models.architecture import Architecture
from lesionflow.models.blocks import expect_rare

KERNELS = (1, 3, 5)


class InceptionModule(nn.Module):
    """Normalize, activate, convolve with 1, 3 and 5 in parallel, concatenate, mix by 1x1x1, add the input.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        branch_channels: Channels of each of the three branches.
    """

    def __init__(self, in_channels: int, out_channels: int, branch_channels: int) -> None:
        super().__init__()
        self.before = nn.Sequential(nn.InstanceNorm3d(in_channels, affine=True), nn.LeakyReLU(0.01))
        self.branches = nn.ModuleList(
            nn.Conv3d(in_channels, branch_channels, kernel, padding=kernel // 2) for kernel in KERNELS
        )
        self.mix = nn.Conv3d(len(KERNELS) * branch_channels, out_channels, 1)
        same = in_channels == out_channels
        self.shortcut: nn.Module = nn.Identity() if same else nn.Conv3d(in_channels, out_channels, 1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        """Map (batch, in_channels, slice, row, column) to (batch, out_channels, slice, row, column)."""
        features = self.before(image)
        joined = torch.cat([branch(features) for branch in self.branches], dim=1)
        return self.shortcut(image) + self.mix(functional.leaky_relu(joined, 0.01))


class InceptionUNet(nn.Module):
    """Inception 3D U-Net.

    Args:
        in_channels: Modalities.
        out_channels: Targets, such as WT, TC, ET.
        base_channels: Width at full resolution; doubles with each depth.
        depth: Number of max poolings.
        dropout_fraction: Spatial dropout before each head.
    """

    def __init__(
        self, in_channels: int, out_channels: int, base_channels: int, depth: int, dropout_fraction: float
    ) -> None:
        super().__init__()
        widths = [base_channels * 2**level for level in range(depth + 1)]
        self.stem = nn.Conv3d(in_channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            InceptionModule(widths[max(level - 1, 0)], width, _branch(width)) for level, width in enumerate(widths)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(widths[level + 1], widths[level], 2, stride=2) for level in range(depth)
        )
        self.merge = nn.ModuleList(
            InceptionModule(2 * widths[level], widths[level], _branch(widths[level])) for level in range(depth)
        )
        n_heads = min(4, depth + 1)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Dropout3d(dropout_fraction), nn.Conv3d(widths[level], out_channels, 1))
            for level in range(n_heads)
        )
        # The heads are summed: one alone says how rare tumor is.
        expect_rare(self.heads[0].get_submodule("1"))

    def forward(self, image: Tensor) -> Tensor:
        """Map (batch, channel, slice, row, column), sizes multiples of 2**depth, to logits of the same size."""
        features = [self.down[0](self.stem(image))]
        for module in list(self.down)[1:]:
            features.append(module(functional.max_pool3d(features[-1], 2)))
        decoded = [features[-1]]
        for level in reversed(range(len(self.up))):
            joined = torch.cat([features[level], self.up[level](decoded[0])], dim=1)
            decoded.insert(0, self.merge[level](joined))
        logits: Tensor = self.heads[-1](decoded[len(self.heads) - 1])
        for level in reversed(range(len(self.heads) - 1)):
            here = self.heads[level](decoded[level])
            logits = here + functional.interpolate(logits, size=here.shape[2:], mode="trilinear", align_corners=False)
        return logits


def _branch(width: int) -> int:
    return max(width // 4, 1)


def _build(in_channels: int, out_channels: int, dimensions: int, **options: Any) -> nn.Module:  # noqa: ARG001 - 3D alone
    return InceptionUNet(in_channels, out_channels, **options)


ARCHITECTURE = Architecture(
    name="inception_unet",
    build=_build,
    dimensions=(3,),
    small_options={"base_channels": 4, "depth": 2, "dropout_fraction": 0.0},
    encoder=r"(stem|down)\.",
    what="the inception 3D U-Net: kernels 1, 3, 5; heads of several depths added",
    weights="10,185,262 with 26 channels at the top (the paper: about 10.5 million)",
)
