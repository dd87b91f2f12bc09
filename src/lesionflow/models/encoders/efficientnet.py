"""EfficientNet as an encoder, in 2D, its weights named as in the files of ImageNet weights of `EfficientNet-PyTorch`.

These files (efficientnet-b0-355c32eb.pth and so on), which MONAI loads too, hold the weights of the paper's authors. They can
be loaded as they are; the last 1-kernel before the classifier and the classifier are left out.

References:
    Tan and Le 2019, arXiv:1905.11946; blocks, Sandler et al. 2018, arXiv:1801.04381; attention to channels, Hu et al. 2018,
    arXiv:1709.01507.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Stage(NamedTuple):
    """Table 1 of the paper: blocks of one width."""

    n_blocks: int
    kernel: int
    stride: int
    #: Channels within a block, as a multiple of those that come in.
    expansion: int
    channels: int


class _Scale(NamedTuple):
    """How much wider and deeper than b0."""

    width: float
    depth: float


STEM_CHANNELS = 32
STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
EFFICIENTNETS = {
    "efficientnet-b0": _Scale(1.0, 1.0),
    "efficientnet-b1": _Scale(1.0, 1.1),
    "efficientnet-b2": _Scale(1.1, 1.2),
    "efficientnet-b3": _Scale(1.2, 1.4),
    "efficientnet-b4": _Scale(1.4, 1.8),
    "efficientnet-b5": _Scale(1.6, 2.2),
    "efficientnet-b6": _Scale(1.8, 2.6),
    "efficientnet-b7": _Scale(2.0, 3.1),
}
#: Numbers of channels are multiples of it.
CHANNEL_STEP = 8
#: Attention squeezes the channels that come into a block to this part of them.
SQUEEZED_FRACTION = 0.25
#: Of batch normalization, with which the published weights were learned.
EPSILON = 1e-3


def round_channels(channels: int, width: float) -> int:
    """Scale a number of channels, to the nearest multiple of 8 that takes no more than a tenth away."""
    wanted = channels * width
    rounded = max(CHANNEL_STEP, int(wanted + CHANNEL_STEP / 2) // CHANNEL_STEP * CHANNEL_STEP)
    return rounded + CHANNEL_STEP if rounded < 0.9 * wanted else rounded


class _Convolution(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow pads even sizes.

    To halve an even size it needs an odd number of pixels beyond the borders: the odd one stands after the last.
    """

    def __init__(self, source: int, target: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        around = kernel // 2 if stride == 1 else 0
        super().__init__(source, target, kernel, stride=stride, padding=around, groups=groups, bias=False)
        lacking = kernel - stride if stride > 1 else 0
        self.lacking = (lacking // 2, lacking - lacking // 2) * 2

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        return super().forward(functional.pad(input, self.lacking) if any(self.lacking) else input)


def _normalize(channels: int) -> nn.Module:
    # The paper's statistics follow slowly (momentum 0.01), for trainings of days; ours follow as in all other networks.
    return nn.BatchNorm2d(channels, eps=EPSILON)


class _Block(nn.Module):
    """An inverted residual block: widened, convolved channel by channel, weighted by attention, narrowed."""

    def __init__(self, source: int, target: int, stage: _Stage, stride: int, drop_fraction: float) -> None:
        super().__init__()
        wide, squeezed = source * stage.expansion, max(1, int(source * SQUEEZED_FRACTION))
        self.halves = stride > 1
        self.residual = stride == 1 and source == target
        self.drop_fraction = drop_fraction
        self.widens = stage.expansion > 1
        if self.widens:
            self._expand_conv = _Convolution(source, wide, 1)
            self._bn0 = _normalize(wide)
        self._depthwise_conv = _Convolution(wide, wide, stage.kernel, stride=stride, groups=wide)
        self._bn1 = _normalize(wide)
        self._se_reduce = nn.Conv2d(wide, squeezed, 1)
        self._se_expand = nn.Conv2d(squeezed, wide, 1)
        self._project_conv = _Convolution(wide, target, 1)
        self._bn2 = _normalize(target)

    def forward(self, features: Tensor) -> Tensor:
        out = functional.silu(self._bn0(self._expand_conv(features))) if self.widens else features
        out = functional.silu(self._bn1(self._depthwise_conv(out)))
        squeezed = functional.silu(self._se_reduce(out.mean((2, 3), keepdim=True)))
        out = out * torch.sigmoid(self._se_expand(squeezed))
        out = self._bn2(self._project_conv(out))
        if not self.residual:
            return out
        return features + (_drop_samples(out, self.drop_fraction) if self.training and self.drop_fraction else out)


def _drop_samples(features: Tensor, fraction: float) -> Tensor:
    """Set samples to 0 by chance, and enlarge the others so that the mean stays. Huang et al. 2016, arXiv:1603.09382."""
    kept = features.new_empty(len(features), 1, 1, 1).bernoulli_(1 - fraction)
    return features * kept / (1 - fraction)


class EfficientNetEncoder(nn.Module):
    """The convolutional part of an EfficientNet.

    Args:
        name: A key of `EFFICIENTNETS`.
        in_channels: Input channels.
        drop_connect_fraction: In training the chance of the last block to be passed over by a sample, where its input has
            its output's shape; growing from 0 with the number of blocks before.
    """

    def __init__(self, name: str, in_channels: int, drop_connect_fraction: float) -> None:
        super().__init__()
        scale = EFFICIENTNETS[name]
        source = round_channels(STEM_CHANNELS, scale.width)
        self._conv_stem = _Convolution(in_channels, source, 3, stride=2)
        self._bn0 = _normalize(source)
        repeats = [math.ceil(stage.n_blocks * scale.depth) for stage in STAGES]
        blocks: list[nn.Module] = []
        self.channels: list[int] = []
        for stage, n_blocks in zip(STAGES, repeats, strict=True):
            target = round_channels(stage.channels, scale.width)
            if stage.stride > 1:
                self.channels.append(source)
            for stride in (stage.stride, *[1] * (n_blocks - 1)):
                drop_fraction = drop_connect_fraction * len(blocks) / sum(repeats)
                blocks.append(_Block(source, target, stage, stride, drop_fraction))
                source = target
        self._blocks = nn.ModuleList(blocks)
        self.channels.append(source)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size, a multiple of 32, of `channels` channels."""
        features = []
        out = functional.silu(self._bn0(self._conv_stem(image)))
        for block in self._blocks:
            if block.halves:
                features.append(out)
            out = block(out)
        return [*features, out]
