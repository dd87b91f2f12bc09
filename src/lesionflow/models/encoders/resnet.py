"""ResNet as an encoder, in 2D and 3D, its weights named as torchvision and MedicalNet name theirs.

ImageNet's weights (torchvision, 2D) and MedicalNet's (3D) can therefore be loaded as they are; the classifier is left out.
torchvision itself is not needed.

References:
    He et al. 2016, DOI 10.1109/CVPR.2016.90; MedicalNet, Chen et al. 2019, arXiv:1904.00625.
"""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from lesionflow.models.blocks import CONVOLUTIONS, NORMALIZATIONS, POOLINGS, Dimensions


class _Kind(NamedTuple):
    """Blocks of the four layers, and whether they are bottlenecks of three convolutions."""

    blocks: tuple[int, int, int, int]
    bottleneck: bool
    #: MedicalNet's ResNet-18 and -34 have shortcuts without weights (type A).
    plain_shortcut_in_3d: bool


RESNETS = {
    "resnet10": _Kind((1, 1, 1, 1), bottleneck=False, plain_shortcut_in_3d=False),
    "resnet18": _Kind((2, 2, 2, 2), bottleneck=False, plain_shortcut_in_3d=True),
    "resnet34": _Kind((3, 4, 6, 3), bottleneck=False, plain_shortcut_in_3d=True),
    "resnet50": _Kind((3, 4, 6, 3), bottleneck=True, plain_shortcut_in_3d=False),
}
LAYER_CHANNELS = (64, 128, 256, 512)


class _PlainShortcut(nn.Module):
    """Every `stride`-th voxel, new channels 0: type A of the paper."""

    def __init__(self, new_channels: int, stride: int) -> None:
        super().__init__()
        self.new_channels = new_channels
        self.stride = stride

    def forward(self, features: Tensor) -> Tensor:
        for axis in range(2, features.ndim):
            features = features[(slice(None),) * axis + (slice(None, None, self.stride),)]
        return functional.pad(features, (0, 0) * (features.ndim - 2) + (0, self.new_channels))


class _Block(nn.Module):
    """A residual block; a bottleneck has 1, 3 and 1 kernels, of which the last gives four times the channels."""

    def __init__(
        self, source: int, width: int, stride: int, dimensions: Dimensions, *, bottleneck: bool, plain: bool
    ) -> None:
        super().__init__()
        convolution, normalize = CONVOLUTIONS[dimensions], NORMALIZATIONS["batch", dimensions]
        target = 4 * width if bottleneck else width
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        strides = (1, stride, 1) if bottleneck else (stride, 1)
        outputs = (width, width, target) if bottleneck else (width, target)
        inputs = (source, *outputs[:-1])
        self.n_convolutions = len(kernels)
        for number, (a, b, kernel, step) in enumerate(zip(inputs, outputs, kernels, strides, strict=True), start=1):
            made = convolution(a, b, kernel, stride=step, padding=kernel // 2, bias=False)
            setattr(self, f"conv{number}", made)
            setattr(self, f"bn{number}", normalize(b))
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or source != target:
            projected = nn.Sequential(convolution(source, target, 1, stride=stride, bias=False), normalize(target))
            self.downsample = _PlainShortcut(target - source, stride) if plain else projected

    def forward(self, features: Tensor) -> Tensor:
        out = features
        for number in range(1, self.n_convolutions + 1):
            out = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(out))
            if number < self.n_convolutions:
                out = functional.relu(out)
        return functional.relu(out + self.downsample(features))


class ResNetEncoder(nn.Module):
    """The convolutional part of a ResNet.

    Args:
        name: A key of `RESNETS`.
        in_channels: Input channels.
        dimensions: 2 or 3.
    """

    def __init__(self, name: str, in_channels: int, dimensions: Dimensions) -> None:
        super().__init__()
        kind = RESNETS[name]
        self.conv1 = CONVOLUTIONS[dimensions](in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = NORMALIZATIONS["batch", dimensions](64)
        self.maxpool = POOLINGS[dimensions](3, stride=2, padding=1)
        source, self.channels = 64, [64]
        for number, (width, n_blocks) in enumerate(zip(LAYER_CHANNELS, kind.blocks, strict=True), start=1):
            blocks = []
            for block in range(n_blocks):
                stride = 2 if number > 1 and block == 0 else 1
                plain = dimensions == 3 and kind.plain_shortcut_in_3d
                blocks.append(_Block(source, width, stride, dimensions, bottleneck=kind.bottleneck, plain=plain))
                source = 4 * width if kind.bottleneck else width
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
            self.channels.append(source)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size, of `channels` channels."""
        features = [functional.relu(self.bn1(self.conv1(image)))]
        out = self.maxpool(features[0])
        for number in range(1, len(LAYER_CHANNELS) + 1):
            out = getattr(self, f"layer{number}")(out)
            features.append(out)
        return features
