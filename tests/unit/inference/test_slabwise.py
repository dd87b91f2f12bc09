"""A network run slab by slab says what it says as a whole, whatever the slabs, sizes and members."""

import pytest
import torch

from lesionflow.inference import slabwise as room
from lesionflow.inference.slabwise import SlabwiseUNet, slabwise
from lesionflow.models.ensemble import Ensemble
from lesionflow.models.networks.unet import UNet

OPTIONS = {
    "base_channels": 5, "depth": 2, "normalization": "instance", "activation": "leaky_relu", "residual": False,
    "dropout_fraction": 0.1,
}  # fmt: skip
#: Float32 sums in another order.
TOLERANCE = {"atol": 1e-4, "rtol": 1e-4}


def _network(seed: int = 0, dimensions: int = 3, **changes) -> UNet:
    torch.manual_seed(seed)
    network = UNet(2, 3, dimensions, **{**OPTIONS, **changes})
    with torch.no_grad():
        for name, values in (*network.named_parameters(), *network.named_buffers()):
            if values.is_floating_point():
                # What training might have made of scales, offsets and running figures that begin as 0 and 1.
                values.add_(torch.rand_like(values) * (0.5 if values.ndim == 1 else 0.0))
            assert name
    return network.eval()


@pytest.mark.parametrize("slab_bytes", [1, 20_000, 1 << 30])
@pytest.mark.parametrize("size", [(4, 12, 8), (20, 8, 12), (12, 4, 4)])
@pytest.mark.parametrize("normalization", ["instance", "batch", "none"])
def test_slabs_of_any_size_give_what_the_whole_gives(monkeypatch, normalization, size, slab_bytes):
    monkeypatch.setattr(room, "SLAB_BYTES", slab_bytes)
    network, image = _network(normalization=normalization), torch.randn(2, 2, *size)
    before = image.clone()
    with torch.inference_mode():
        expected = network(image)
        found = slabwise(network)(image)
    assert isinstance(slabwise(network), SlabwiseUNet)
    torch.testing.assert_close(found, expected, **TOLERANCE)
    torch.testing.assert_close(image, before, atol=0, rtol=0)


def test_an_ensemble_runs_member_by_member():
    whole = Ensemble([_network(1), _network(2)]).eval()
    thrifty = slabwise(whole)
    assert all(isinstance(member, SlabwiseUNet) for member in thrifty.members)
    image = torch.randn(1, 2, 8, 12, 4)
    with torch.inference_mode():
        torch.testing.assert_close(thrifty(image), whole(image), **TOLERANCE)


@pytest.mark.parametrize("changes", [{"attention": True}, {"residual": True}, {"dimensions": 2}])
def test_other_networks_stay_as_they_are(changes):
    network = _network(**changes)
    assert slabwise(network) is network
