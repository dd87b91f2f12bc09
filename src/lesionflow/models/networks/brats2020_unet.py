"""The 3D U-Net of the BraTS paper's Table I: four depths of 32 to 256 channels, two 3x3x3 convolutions each.

The table's parameter counts contradict one another: 9,248 for the second convolution is a 3x3 kernel in 2D (3x3x3 gives
27,680), 1,769,856 should be 1,769,728, and the two upward counts, 524,544 and 131,200, fit no kernel exactly. We keep the
layout (32, 32 - 64, 64 - 128, 128 - 256, 256 - up 128, 128 - up 64, 64 - output), all kernels 3x3x3, upsampling by 2x2x2
transposed convolutions, and add the skip connections that make it a U-Net; the last upsampling brings the 64 channels back
to full resolution, where the output layer stands.

References:
    Cicek et al. 2016, DOI 10.1007/978-3-319-46723-8_49; Ronneberger et al. 2015, DOI 10.1007/978-3-319-24574-4_28.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from lesionflow.models.architecture import Architecture
from lesionflow.models.blocks import expect_rare

WIDTHS = (32, 64, 128, 256)


class Brats2020UNet(nn.Module):
    """3D U-Net of Table I.

    Args:
        in_channels: Modalities (the table has one).
        out_channels: Targets (the table has one).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        inputs = (in_channels, *WIDTHS[:-1])
        self.down = nn.ModuleList(_pair(source, width) for source, width in zip(inputs, WIDTHS, strict=True))
        self.up = nn.ModuleList([nn.ConvTranspose3d(256, 128, 2, stride=2), nn.ConvTranspose3d(128, 64, 2, stride=2)])
        self.merge = nn.ModuleList([_pair(256, 128), _pair(128, 64)])
        self.output = nn.Conv3d(64, out_channels, 1)
        expect_rare(self.output)

    def forward(self, image: Tensor) -> Tensor:
        """Map (batch, channel, slice, row, column), sizes multiples of 8, to logits of the same size."""
        features = []
        for level, pair in enumerate(self.down):
            image = pair(image if level == 0 else functional.max_pool3d(image, 2))
            features.append(image)
        for up, merge, skip in zip(self.up, self.merge, features[-2:0:-1], strict=True):
            image = merge(torch.cat([skip, up(image)], dim=1))
        logits: Tensor = self.output(functional.interpolate(image, scale_factor=2, mode="nearest"))
        return logits


def _pair(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv3d(out_channels, out_channels, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def _build(in_channels: int, out_channels: int, dimensions: int) -> nn.Module:  # noqa: ARG001 - it exists in 3D alone
    return Brats2020UNet(in_channels, out_channels)


ARCHITECTURE = Architecture(
    name="brats2020_unet",
    build=_build,
    dimensions=(3,),
    small_options={},
    encoder=r"down\.",
    what="Table I of the BraTS paper, all kernels 3 x 3 x 3",
    weights="as its docstring says",
    halvings=3,
    formerly=("table_unet",),
)
