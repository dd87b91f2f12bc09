"""A U-Net on a ResNet encoder that may start from weights learned elsewhere (`train.transfer`).

References:
    U-Net on a ResNet: Iglovikov and Shvets 2018, arXiv:1801.05746.
"""

from lesionflow.models.architecture import Architecture
from lesionflow.models.blocks import Activation, Dimensions, Normalization
from lesionflow.models.encoders.resnet import RESNETS, ResNetEncoder
from lesionflow.models.networks.encoder_unet import EncoderUNet


class ResNetUNet(EncoderUNet):
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
        if encoder not in RESNETS:
            raise TypeError(f"encoder must be one of {', '.join(RESNETS)}, found {encoder!r}")
        down = ResNetEncoder(encoder, in_channels, dimensions)
        super().__init__(
            down, down.channels, in_channels, out_channels, dimensions,
            decoder_channels=decoder_channels, normalization=normalization, activation=activation,
            dropout_fraction=dropout_fraction,
        )  # fmt: skip


ARCHITECTURE = Architecture(
    name="resnet_unet",
    build=ResNetUNet,
    dimensions=(2, 3),
    small_options={
        "encoder": "resnet10",
        "decoder_channels": 4,
        "normalization": "instance",
        "activation": "leaky_relu",
        "dropout_fraction": 0.0,
    },
    encoder=r"encoder\.",
    what="U-Net on ResNet-10, -18, -34 or -50, named as torchvision and MedicalNet name their weights",
    weights="encoders equal to torchvision's without its classifier",
    halvings=5,
)
