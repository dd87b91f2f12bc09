"""The way up of a U-Net on an encoder that is no U-Net's own."""

from collections.abc import Sequence

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

UPSAMPLING = {2: "bilinear", 3: "trilinear"}


class EncoderUNet(nn.Module):
    """U-Net whose way down is a given encoder, of which all weights are drawn anew.

    Args:
        encoder: Maps an image to features at 1/2, 1/4, ... of its size.
        encoder_channels: Channels of these features.
        in_channels: Input channels.
        out_channels: Targets.
        dimensions: 2 or 3.
        decoder_channels: Channels of the decoder at full resolution; doubling with each depth.
        normalization: Of the decoder: `instance`, `batch` or `none`.
        activation: Of the decoder: `leaky_relu` or `relu`.
        dropout_fraction: Spatial dropout inside each block of the decoder.

    References:
        Ronneberger et al. 2015, DOI 10.1007/978-3-319-24574-4_28.
    """

    def __init__(
        self,
        encoder: nn.Module,
        encoder_channels: Sequence[int],
        in_channels: int,
        out_channels: int,
        dimensions: Dimensions,
        *,
        decoder_channels: int,
        normalization: Normalization,
        activation: Activation,
        dropout_fraction: float,
    ) -> None:
        super().__init__()
        widths = [decoder_channels * 2**level for level in range(len(encoder_channels))]
        self.encoder = encoder
        # The first convolution halves the size at once, so the image itself is the finest skip connection.
        skips = [in_channels, *encoder_channels[:-1]]
        below = [*widths[1:], encoder_channels[-1]]
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
        """Map (batch, channel, [slice,] row, column), sizes multiples of the encoder's, to logits of the same size."""
        skips = [image, *self.encoder(image)]
        features = skips.pop()
        for merge in reversed(self.merge):
            skip = skips.pop()
            above = functional.interpolate(features, size=skip.shape[2:], mode=self.mode, align_corners=False)
            features = merge(torch.cat([skip, above], dim=1))
        logits: Tensor = self.output(features)
        return logits
