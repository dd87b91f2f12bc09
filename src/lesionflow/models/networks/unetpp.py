"""U-Net++: nested dense skip connections with deep supervision, optionally with attention gates.

In training each nested depth is supervised through its own head; afterwards their logits are averaged: the
paper's accurate mode.

References:
    Zhou et al. 2018, DOI 10.1007/978-3-030-00889-5_1; attention gates on the skip connections, Li et al. 2020, DOI
    10.1109/ACCESS.2020.3025372.
"""

import torch
from torch import Tensor, nn

from lesionflow.models.architecture import Architecture
from lesionflow.models.blocks import (
    CONVOLUTIONS,
    POOLINGS,
    TRANSPOSED,
    Activation,
    ConvolutionBlock,
    Dimensions,
    Logits,
    Normalization,
    expect_rare,
    initialize,
)
from lesionflow.models.networks.unet import AttentionGate


class UNetPlusPlus(nn.Module):
    """U-Net++.

    Args:
        in_channels: Input channels.
        out_channels: Targets.
        dimensions: 2 or 3.
        base_channels: Channels at full resolution; doubles with each depth.
        depth: Number of max poolings; sizes must be multiples of 2**depth.
        normalization: `instance`, `batch` or `none`.
        activation: `leaky_relu` or `relu`.
        residual: Residual blocks.
        dropout_fraction: Spatial dropout inside each block.
        deep_supervision: Heads on all nested depths; otherwise on the deepest alone.
        attention: Attention gates on the skip connections, asked by what comes from below.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dimensions: Dimensions,
        *,
        base_channels: int,
        depth: int,
        normalization: Normalization,
        activation: Activation,
        residual: bool,
        dropout_fraction: float,
        deep_supervision: bool = True,
        attention: bool = False,
    ) -> None:
        super().__init__()
        widths = [base_channels * 2**level for level in range(depth + 1)]
        self.depth = depth
        self.pool = POOLINGS[dimensions](2)
        self.blocks = nn.ModuleDict()
        self.up = nn.ModuleDict()
        self.gates = nn.ModuleDict()
        for level in range(depth + 1):
            for step in range(depth + 1 - level):
                first = in_channels if level == 0 else widths[level - 1]
                source = first if step == 0 else (step + 1) * widths[level]
                self.blocks[f"{level}_{step}"] = ConvolutionBlock(
                    source,
                    widths[level],
                    dimensions,
                    normalization,
                    activation,
                    residual=residual,
                    dropout_fraction=dropout_fraction,
                )
                if step:
                    self.up[f"{level}_{step}"] = TRANSPOSED[dimensions](widths[level + 1], widths[level], 2, stride=2)
                if step and attention:
                    self.gates[f"{level}_{step}"] = AttentionGate(widths[level], dimensions)
        heads = range(1, depth + 1) if deep_supervision else range(depth, depth + 1)
        self.heads = nn.ModuleDict({str(step): CONVOLUTIONS[dimensions](widths[0], out_channels, 1) for step in heads})
        initialize(self)
        for head in self.heads.values():
            expect_rare(head)

    def forward(self, image: Tensor) -> Logits:
        """Map (batch, channel, [slice,] row, column) to logits (batch, target, [slice,] row, column).

        In training with deep supervision, the logits of each head, the deepest first.
        """
        nodes: dict[tuple[int, int], Tensor] = {}
        for level in range(self.depth + 1):
            source = image if level == 0 else self.pool(nodes[level - 1, 0])
            nodes[level, 0] = self.blocks[f"{level}_0"](source)
        for step in range(1, self.depth + 1):
            for level in range(self.depth + 1 - step):
                key = f"{level}_{step}"
                below = self.up[key](nodes[level + 1, step - 1])
                before = [nodes[level, earlier] for earlier in range(step)]
                if key in self.gates:
                    before[-1] = self.gates[key](before[-1], below)
                nodes[level, step] = self.blocks[key](torch.cat([*before, below], dim=1))
        outputs = tuple(head(nodes[0, int(step)]) for step, head in reversed(list(self.heads.items())))
        if len(outputs) == 1:
            return outputs[0]
        return outputs if self.training else torch.stack(outputs).mean(dim=0)


ARCHITECTURE = Architecture(
    name="unetpp",
    build=UNetPlusPlus,
    dimensions=(2, 3),
    small_options={
        "base_channels": 4,
        "depth": 2,
        "normalization": "instance",
        "activation": "leaky_relu",
        "residual": False,
        "dropout_fraction": 0.0,
        "attention": True,
    },
    encoder=r"blocks\.\d+_0\.",
    what="U-Net++ (Zhou 2018): nested dense skips, optionally attention; in training each head has its own loss, afterwards "
    "their mean speaks",
)
