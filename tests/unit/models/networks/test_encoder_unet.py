"""The way up, on an encoder whose features are made by hand."""

import torch
from torch import nn
from torch.nn import functional

from lesionflow.models.networks.encoder_unet import EncoderUNet


class Halving(nn.Module):
    """Features at a half and a quarter of the size, of 1 and 2 channels."""

    def forward(self, image):
        half = functional.avg_pool2d(image[:, :1], 2)
        return [half, functional.avg_pool2d(half, 2).repeat(1, 2, 1, 1)]


def _network():
    return EncoderUNet(
        Halving(), (1, 2), 3, 2, 2, decoder_channels=4, normalization="none", activation="relu", dropout_fraction=0.0
    )


def test_channels_of_the_way_up_are_those_of_skips_and_what_lies_below() -> None:
    network = _network()
    # At full size the image's 3 and the 8 from below; at a half the encoder's 1 and its coarsest 2.
    assert [merge.first[0].weight.shape[:2] for merge in network.merge] == [(4, 3 + 8), (8, 1 + 2)]
    assert network(torch.randn(1, 3, 12, 20)).shape == (1, 2, 12, 20)


def test_the_image_itself_is_the_finest_skip() -> None:
    network = _network()
    with torch.no_grad():
        network.merge[0].first[0].weight[:, 3:] = 0
    image = torch.randn(1, 3, 12, 20)
    before = network(image)
    with torch.no_grad():
        for weight in network.merge[1].parameters():
            weight.zero_()
    assert torch.equal(network(image), before)
    assert not torch.equal(network(image + torch.randn_like(image)), before)
