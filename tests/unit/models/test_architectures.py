"""One contract for every architecture: a new entry of ARCHITECTURES is tested without a new file."""

import pytest
import torch

from lesionflow.data.plan import ArchitecturePlan
from lesionflow.errors import ConfigError
from lesionflow.models import ARCHITECTURES, build_model, size_multiple

ALL = [(name, d) for name, architecture in ARCHITECTURES.items() for d in architecture.dimensions]


def _plan(name: str) -> ArchitecturePlan:
    return ArchitecturePlan(name=name, options=dict(ARCHITECTURES[name].small_options))


@pytest.mark.parametrize(("name", "dimensions"), ALL)
def test_logits_have_the_size_of_the_input_and_every_weight_learns(name: str, dimensions: int) -> None:
    network = build_model(_plan(name), in_channels=2, out_channels=3, dimensions=dimensions)
    image = torch.randn(2, 2, *([16] * (dimensions - 2)), 16, 24)
    logits = network(image)
    assert logits.shape == (2, 3, *image.shape[2:])
    logits.square().sum().backward()
    idle = [key for key, weight in network.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
    # A bias before a normalization has no effect by design; no other weight may be idle.
    assert idle == []


@pytest.mark.parametrize(("name", "dimensions"), ALL)
def test_reloaded_weights_predict_the_same(name: str, dimensions: int) -> None:
    torch.manual_seed(3)
    one = build_model(_plan(name), in_channels=1, out_channels=2, dimensions=dimensions).eval()
    torch.manual_seed(4)
    other = build_model(_plan(name), in_channels=1, out_channels=2, dimensions=dimensions).eval()
    image = torch.randn(1, 1, *([8] * (dimensions - 2)), 16, 8)
    with torch.inference_mode():
        assert not torch.equal(one(image), other(image))
        other.load_state_dict(one.state_dict())
        assert torch.equal(one(image), other(image))


@pytest.mark.parametrize(("name", "dimensions"), ALL)
def test_sizes_at_the_stated_multiple_pass(name: str, dimensions: int) -> None:
    multiple = size_multiple(_plan(name))
    network = build_model(_plan(name), in_channels=1, out_channels=1, dimensions=dimensions).eval()
    sizes = [multiple * k for k in (2, 3, 4)][-dimensions:]
    assert network(torch.zeros(1, 1, *sizes)).shape[2:] == tuple(sizes)


def test_the_unet_has_the_number_of_weights_counted_by_hand() -> None:
    options = {
        "base_channels": 4, "depth": 1, "normalization": "instance", "activation": "relu", "residual": False,
        "dropout_fraction": 0.0,
    }  # fmt: skip
    network = build_model(ArchitecturePlan(name="unet", options=options), in_channels=3, out_channels=2, dimensions=2)
    first = 9 * 3 * 4 + 8 + 9 * 4 * 4 + 8
    bottom = 9 * 4 * 8 + 16 + 9 * 8 * 8 + 16
    up = 4 * 8 * 4 + 4
    merge = 9 * 8 * 4 + 8 + 9 * 4 * 4 + 8
    output = 4 * 2 + 2
    assert sum(weight.numel() for weight in network.parameters()) == first + bottom + up + merge + output


def test_the_inception_network_has_about_the_papers_ten_and_a_half_million_weights() -> None:
    options = {"base_channels": 26, "depth": 4, "dropout_fraction": 0.1}
    network = build_model(
        ArchitecturePlan(name="inception_unet", options=options), in_channels=4, out_channels=3, dimensions=3
    )
    assert sum(weight.numel() for weight in network.parameters()) == 10_185_262


def test_table_one_has_its_own_counts_of_weights() -> None:
    network = build_model(ArchitecturePlan(name="table_unet", options={}), in_channels=1, out_channels=1, dimensions=3)
    convolutions = [(1, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256)]
    convolutions += [(256, 128), (128, 128), (128, 64), (64, 64)]
    expected = sum(27 * a * b + b for a, b in convolutions)
    expected += (8 * 256 * 128 + 128) + (8 * 128 * 64 + 64) + (64 + 1)
    assert sum(weight.numel() for weight in network.parameters()) == expected
    # The rows of the paper's table that follow from 3x3x3 kernels.
    assert [27 * a * b + b for a, b in convolutions[2:7]] == [55_360, 110_656, 221_312, 442_496, 884_992]


@pytest.mark.parametrize(
    ("name", "options", "dimensions", "words"),
    [
        ("unett", {}, 2, "Did you mean unet?"),
        ("inception_unet", {}, 2, "plan.dimensions"),
        ("unet", {"depht": 3}, 2, "depht"),
    ],
)
def test_a_wrong_architecture_is_refused_with_a_hint(name: str, options: dict, dimensions: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        build_model(ArchitecturePlan(name=name, options=options), in_channels=1, out_channels=1, dimensions=dimensions)


@pytest.mark.parametrize(("name", "dimensions"), ALL)
def test_a_fresh_network_takes_tumor_for_rare(name: str, dimensions: int) -> None:
    torch.manual_seed(3)
    network = build_model(_plan(name), in_channels=1, out_channels=2, dimensions=dimensions)
    probability = torch.sigmoid(network(torch.randn(4, 1, *([16] * (dimensions - 2)), 16, 32)))
    assert 0.002 < probability.median() < 0.05
