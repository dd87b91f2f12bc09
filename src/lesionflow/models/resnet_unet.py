"""A U-Net on a ResNet encoder that may start from weights learned elsewhere (`train.transfer`).

References:
    Ronneberger et al. 2015, DOI 10.1007/978-3-319-24574-4_28; on a ResNet, Iglovikov and Shvets 2018, arXiv:1801.05746.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from lesionflow.models.blocks import (
    CONVOLUTIONS,
    Activation,
    ConvolutionBlock,
    Dimensions,
    Normalization,
    expect_rare,
    initialize,
)
from lesionflow.models.resnet import RESNETS, ResNetEncoder

UPSAMPLING = {2: "bilinear", 3: "trilinear"}


class ResNetUNet(nn.Module):
    """U-Net whose way down is a ResNet: five halvings.

    Args:
        in_channels: Input channels.
        out_channels: Targets.
        dimensions: 2 or 3.
        encoder: `resnet10`, `resnet18`, `resnet34` or `resnet50`.
        decoder_channels: Channels of the decoder at full resolution; doubling with each depth.
        normalization: Of the decoder: `instance`, `batch` or `none`.
        activation: Of the decoder: `leaky_relu` or `relu`.
        dropout_fraction: Spatial dropout inside each block of the decoder.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dimensions: Dimensions,
        *,
        encoder: str,
        decoder_channels: int,
        normalization: Normalization,
        activation: Activation,
        dropout_fraction: float,
    ) -> None:
        super().__init__()
        if encoder not in RESNETS:
            raise TypeError(f"encoder must be one of {', '.join(RESNETS)}, found {encoder!r}")
        widths = [decoder_channels * 2**level for level in range(len(RESNETS[encoder].blocks) + 1)]
        # The first convolution of a ResNet halves the size at once, so the image itself is the finest skip connection.
        self.encoder = ResNetEncoder(encoder, in_channels, dimensions)
        skips = [in_channels, *self.encoder.channels[:-1]]
        below = [*widths[1:], self.encoder.channels[-1]]
        self.mode = UPSAMPLING[dimensions]
        self.merge = nn.ModuleList(
            ConvolutionBlock(
                skip + under, width, dimensions, normalization, activation,
                residual=False, dropout_fraction=dropout_fraction,
            )
            for skip, under, width in zip(skips, below, widths, strict=True)
        )  # fmt: skip
        self.output = CONVOLUTIONS[dimensions](widths[0], out_channels, 1)
        initialize(self)
        expect_rare(self.output)

    def forward(self, image: Tensor) -> Tensor:
        """Map (batch, channel, [slice,] row, column), sizes multiples of 32, to logits of the same size."""
        skips = [image, *self.encoder(image)]
        features = skips.pop()
        for merge in reversed(self.merge):
            skip = skips.pop()
            above = functional.interpolate(features, size=skip.shape[2:], mode=self.mode, align_corners=False)
            features = merge(torch.cat([skip, above], dim=1))
        logits: Tensor = self.output(features)
        return logits
