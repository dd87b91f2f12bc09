"""A U-Net on an EfficientNet encoder that may start from weights learned elsewhere (`train.transfer`)."""

from lesionflow.models.architecture import Architecture
from lesionflow.models.blocks import Activation, Dimensions, Normalization
from lesionflow.models.encoders.efficientnet import EFFICIENTNETS, EfficientNetEncoder
from lesionflow.models.networks.encoder_unet import EncoderUNet


class EfficientNetUNet(EncoderUNet):
    """U-Net whose way down is an EfficientNet: five halvings.

    Args:
        in_channels: Input channels.
        out_channels: Targets.
        dimensions: 2.
        encoder: `efficientnet-b0` to `efficientnet-b7`.
        drop_connect_fraction: Chance of the encoder's last blocks to be passed over in training: 0 to below 1; the
            paper's is 0.2.
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
        drop_connect_fraction: float,
        decoder_channels: int,
        normalization: Normalization,
        activation: Activation,
        dropout_fraction: float,
    ) -> None:
        if encoder not in EFFICIENTNETS:
            raise TypeError(f"encoder must be one of {', '.join(EFFICIENTNETS)}, found {encoder!r}")
        if not 0 <= drop_connect_fraction < 1:
            raise TypeError(f"drop_connect_fraction must be 0 to below 1, found {drop_connect_fraction}")
        down = EfficientNetEncoder(encoder, in_channels, drop_connect_fraction)
        super().__init__(
            down, down.channels, in_channels, out_channels, dimensions,
            decoder_channels=decoder_channels, normalization=normalization, activation=activation,
            dropout_fraction=dropout_fraction,
        )  # fmt: skip


ARCHITECTURE = Architecture(
    name="efficientnet_unet",
    build=EfficientNetUNet,
    dimensions=(2,),
    small_options={
        "encoder": "efficientnet-b0",
        "drop_connect_fraction": 0.0,
        "decoder_channels": 4,
        "normalization": "instance",
        "activation": "leaky_relu",
        "dropout_fraction": 0.0,
    },
    encoder=r"encoder\.",
    what="U-Net on EfficientNet-b0 to -b7, named as EfficientNet-PyTorch and MONAI's published files name their weights",
    weights="encoders equal to torchvision's without its classifier and the 1-kernel before it: 3,595,388 for b0",
    halvings=5,
)
