"""A 3D U-Net run a few slices at a time: the same sums in a fraction of the memory.

Run as a whole, its finest level holds the skip connection, the upsampled features, both joined, the convolution's answer and oneDNN's
copies of them in another order. Here a convolution reads a slab and the slice on either side of it, and may write its answer over
what it has read.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lesionflow.models.blocks import ConvolutionBlock
from lesionflow.models.ensemble import Ensemble
from lesionflow.models.networks.unet import UNet

#: What a convolution reads or writes at a time; smaller slabs hardly save more.
SLAB_BYTES = 16_000_000
#: Slice, row and column.
AXES = (2, 3, 4)

#: Writes the slices from a first up to a last into a tensor (batch, channel, slices, row, column).
Source = Callable[[int, int, Tensor], None]


class SlabwiseUNet(nn.Module):
    """A 3D U-Net in evaluation, run a few slices at a time.

    Args:
        network: Without what looks at its features twice: attention and residual paths.
    """

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, image: Tensor) -> Tensor:
        """Map (batch, channel, slice, row, column) to logits, as the network does but for rounding."""
        skips: list[Tensor] = []
        features = image
        for level, down in enumerate(self.network.down):
            pooled = features if level == 0 else self.network.pool(features)
            features = _run_block(down, _read(pooled), _room_for(down, pooled))
            if level < len(self.network.up):
                skips.append(features)
        for level in reversed(range(len(self.network.up))):
            skip = skips.pop()
            features = _run_block(self.network.merge[level], _joined(skip, self.network.up[level], features), skip)
        return _run_output(self.network.output, features)


def slabwise(network: nn.Module) -> nn.Module:
    """Return what runs a network in the least memory: slab by slab, member by member, where it can be; else the network itself."""
    if isinstance(network, Ensemble):
        return Ensemble([slabwise(member) for member in network.members]).eval()
    if not isinstance(network, UNet) or not isinstance(network.output, nn.Conv3d) or len(network.gates):
        return network
    blocks = [cast("ConvolutionBlock", block) for block in (*network.down, *network.merge)]
    return SlabwiseUNet(network) if all(block.shortcut is None for block in blocks) else network


def _read(features: Tensor) -> Source:
    def fill(first: int, last: int, into: Tensor) -> None:
        into.copy_(features[:, :, first:last])

    return fill


def _joined(skip: Tensor, up: nn.Module, below: Tensor) -> Source:
    """Give a skip connection beside the features below it, which are upsampled only as they are asked for."""
    n_skip = skip.shape[1]

    def fill(first: int, last: int, into: Tensor) -> None:
        into[:, :n_skip] = skip[:, :, first:last]
        above = up(below[:, :, first // 2 : -(-last // 2)])
        into[:, n_skip:] = above[:, :, first % 2 :][:, :, : last - first]

    return fill


def _room_for(block: nn.Module, features: Tensor) -> Tensor:
    convolution = cast("ConvolutionBlock", block).first[0]
    return features.new_empty((features.shape[0], cast("nn.Conv3d", convolution).out_channels, *features.shape[2:]))


def _run_block(block: nn.Module, source: Source, out: Tensor) -> Tensor:
    """Run two convolutions, each normalized and activated, into `out`; the source may read from it."""
    parts = cast("ConvolutionBlock", block)
    _convolve(cast("nn.Conv3d", parts.first[0]), source, out)
    parts.first[2](_normalize(parts.first[1], out))
    _convolve(cast("nn.Conv3d", parts.second[0]), _read(out), out)
    parts.last(_normalize(parts.second[1], out))
    return out


def _convolve(convolution: nn.Conv3d, source: Source, out: Tensor) -> None:
    """Convolve by a kernel of 3 with a border of zeros; no slice is read after it was written."""
    n, step = out.shape[2], min(_slices_at_a_time(convolution, out), out.shape[2])
    # The slice before a slab, the slab, and the slice after it.
    slab = out.new_zeros((out.shape[0], convolution.in_channels, step + 2, *out.shape[3:]))
    for start in range(0, n, step):
        stop = min(start + step, n)
        last = min(stop + 1, n)
        source(start, last, slab[:, :, 1 : 1 + last - start])
        if stop == n:
            slab[:, :, 1 + n - start] = 0.0
        read = slab[:, :, : stop - start + 2]
        out[:, :, start:stop] = functional.conv3d(read, convolution.weight, convolution.bias, padding=(0, 1, 1))
        slab[:, :, 0] = slab[:, :, stop - start]


def _normalize(normalization: nn.Module, features: Tensor) -> Tensor:
    """Normalize in place, each sample and channel by its own mean and variance, or by those that training found."""
    if isinstance(normalization, nn.InstanceNorm3d):
        features.sub_(features.mean(dim=AXES, keepdim=True))
        # torch.var takes four times as long.
        variance = torch.linalg.vector_norm(features, dim=AXES, keepdim=True).square() / features[0, 0].numel()
    elif isinstance(normalization, nn.BatchNorm3d):
        features.sub_(_by_channel(cast("Tensor", normalization.running_mean)))
        variance = _by_channel(cast("Tensor", normalization.running_var))
    else:
        return features
    scale = _by_channel(normalization.weight) * torch.rsqrt(variance + normalization.eps)
    return features.mul_(scale).add_(_by_channel(normalization.bias))


def _by_channel(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1, 1)


def _run_output(convolution: nn.Module, features: Tensor) -> Tensor:
    head, n = cast("nn.Conv3d", convolution), features.shape[2]
    out = features.new_empty((features.shape[0], head.out_channels, *features.shape[2:]))
    step = _slices_at_a_time(head, features)
    for start in range(0, n, step):
        out[:, :, start : start + step] = head(features[:, :, start : start + step])
    return out


def _slices_at_a_time(convolution: nn.Conv3d, features: Tensor) -> int:
    widest = max(convolution.in_channels, convolution.out_channels)
    return max(1, SLAB_BYTES // (4 * widest * features.shape[0] * features[0, 0, 0].numel()))
