"""Pieces of networks against numbers by hand."""

import math

import pytest
import torch
from torch import nn

from lesionflow.models.blocks import ConvolutionBlock, activate, expect_rare, initialize


def test_a_fresh_head_takes_a_voxel_in_a_hundred_for_tumor() -> None:
    head = nn.Conv2d(3, 2, 1)
    expect_rare(head)
    assert torch.sigmoid(head.bias).tolist() == pytest.approx([0.01, 0.01])


@pytest.mark.parametrize(("activation", "expected"), [("leaky_relu", [-0.02, 3.0]), ("relu", [0.0, 3.0])])
def test_activations_by_hand(activation, expected) -> None:
    assert activate(activation)(torch.tensor([-2.0, 3.0])).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("channels", [2, 3])
def test_a_residual_block_whose_convolutions_are_silent_gives_its_shortcut(channels) -> None:
    block = ConvolutionBlock(2, channels, 2, "none", "relu", residual=True, dropout_fraction=0.0)
    for part in (*block.first, *block.second):
        for weight in part.parameters():
            nn.init.zeros_(weight)
    image = torch.randn(1, 2, 5, 7)
    if channels == 2:
        assert torch.equal(block(image), image.relu())
    else:
        mixed = torch.einsum("oi,bihw->bohw", block.shortcut.weight[:, :, 0, 0], image)
        torch.testing.assert_close(block(image), mixed.relu())


def test_weights_are_drawn_by_he_and_biases_are_zero() -> None:
    torch.manual_seed(3)
    convolution = nn.Conv3d(40, 50, 3)
    initialize(convolution)
    # sqrt(2 / (1 + 0.01^2) / (40 * 27)); of 54,000 draws, the deviation is known to 1 %.
    assert convolution.weight.std().item() == pytest.approx(math.sqrt(2 / 1.0001 / 1080), rel=0.02)
    assert not convolution.bias.any()
