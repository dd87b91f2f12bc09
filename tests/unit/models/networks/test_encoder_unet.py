"""The way up of a U-Net on any encoder: counted by hand, and watched voxel by voxel."""

import pytest
import torch
from torch.nn import functional

from lesionflow.models.networks.encoder_unet import EncoderUNet

#: Channels of the encoder at 1/2 and 1/4 of the size.
CHANNELS = (3, 5)


class Pooling(torch.nn.Module):
    """Means of 2 and 4 voxels a side, each in several channels; with one weight, which it does not use."""

    def __init__(self, dimensions, factor=1.0):
        super().__init__()
        self.dimensions, self.factor = dimensions, factor
        self.idle = (torch.nn.Conv2d, torch.nn.Conv3d)[dimensions - 2](1, 1, 1)
        torch.nn.init.constant_(self.idle.bias, 7.0)

    def forward(self, image):
        pool = (functional.avg_pool2d, functional.avg_pool3d)[self.dimensions - 2]
        first = image[:, :1] * self.factor
        repeats = [1] * self.dimensions
        return [pool(first, 2**level).repeat(1, n, *repeats) for level, n in enumerate(CHANNELS, start=1)]


def build(dimensions=2, factor=1.0, normalization="none"):
    torch.manual_seed(3)
    return EncoderUNet(
        Pooling(dimensions, factor), CHANNELS, 2, 3, dimensions,
        decoder_channels=4, normalization=normalization, activation="leaky_relu", dropout_fraction=0.0,
    ).eval()  # fmt: skip


@pytest.mark.parametrize(("dimensions", "kernel"), [(2, 9), (3, 27)])
def test_its_weights_by_hand(dimensions, kernel):
    # To full size: the image's 2 channels and 8 from below become 4; to half: 3 of the encoder and 5 below become 8.
    finest = (kernel * (2 + 8) * 4 + 4) + (kernel * 4 * 4 + 4)
    half = (kernel * (3 + 5) * 8 + 8) + (kernel * 8 * 8 + 8)
    output, idle = 4 * 3 + 3, 1 + 1
    assert sum(weight.numel() for weight in build(dimensions).parameters()) == finest + half + output + idle


@pytest.mark.parametrize(("dimensions", "size"), [(2, (20, 28)), (3, (4, 8, 12))])
def test_logits_have_the_size_of_the_image(dimensions, size):
    with torch.inference_mode():
        assert build(dimensions, normalization="instance")(torch.randn(2, 2, *size)).shape == (2, 3, *size)


def test_the_image_itself_is_the_finest_skip_connection():
    """With an encoder that sees nothing, a voxel is heard by two 3-kernels: two voxels around it and no farther."""
    network, image = build(factor=0.0), torch.zeros(1, 2, 20, 28)
    changed = image.clone()
    changed[0, 1, 9, 13] = 5.0
    with torch.inference_mode():
        heard = (network(changed) != network(image)).any(1)[0]
    rows, columns = heard.nonzero().unbind(1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (7, 11, 11, 15)


def test_what_the_encoder_finds_comes_up_to_where_it_lies():
    network, image = build(), torch.zeros(1, 2, 40, 56)
    changed = image.clone()
    changed[0, 0, 9, 13] = 5.0
    with torch.inference_mode():
        heard = (network(changed) != network(image)).any(1)[0]
    rows = heard.nonzero()[:, 0]
    # Farther than the image alone, around the same place, and not everywhere.
    assert rows.min() < 7
    assert rows.max() > 11
    assert heard[9, 13]
    assert not heard[30:].any()
    assert not heard[:, 40:].any()


def test_its_answer_is_that_of_its_parts_put_together_by_hand():
    network, image = build(), torch.randn(1, 2, 8, 12)
    half, quarter = network.encoder(image)
    finest, middle = network.merge

    def twice(features):
        return torch.nn.Upsample(scale_factor=2, mode="bilinear")(features)

    with torch.inference_mode():
        below = middle(torch.cat([half, twice(quarter)], dim=1))
        expected = network.output(finest(torch.cat([image, twice(below)], dim=1)))
        torch.testing.assert_close(network(image), expected)


def test_all_is_drawn_anew_and_tumor_is_rare_at_first():
    network = build()
    assert network.encoder.idle.bias.item() == 0.0
    # The logit of 0.01.
    assert network.output.bias.tolist() == pytest.approx([-4.59512] * 3, abs=1e-5)
    with torch.inference_mode():
        assert torch.sigmoid(network(torch.zeros(1, 2, 8, 12))).flatten().tolist() == pytest.approx(
            [0.01] * 288, rel=1e-5
        )
