"""EfficientNet encoders beside torchvision's and MONAI's."""

import re

import pytest
import torch

from lesionflow.data.plan import ArchitecturePlan
from lesionflow.models import ARCHITECTURES, build_model
from lesionflow.models.encoders.efficientnet import EfficientNetEncoder, _drop_samples

_EFFICIENTNET = ARCHITECTURES["efficientnet_unet"].small_options


@pytest.mark.parametrize(
    ("encoder", "documented", "n_coarsest", "n_features"),
    [
        ("efficientnet-b0", 5_288_548, 320, 1280),
        ("efficientnet-b1", 7_794_184, 320, 1280),
        ("efficientnet-b2", 9_109_994, 352, 1408),
        ("efficientnet-b3", 12_233_232, 384, 1536),
        ("efficientnet-b4", 19_341_616, 448, 1792),
        ("efficientnet-b5", 30_389_784, 512, 2048),
        ("efficientnet-b6", 43_040_704, 576, 2304),
        ("efficientnet-b7", 66_347_960, 640, 2560),
    ],
)
def test_the_efficientnets_have_torchvisions_number_of_weights(
    encoder: str, documented: int, n_coarsest: int, n_features: int
) -> None:
    """Those of torchvision's documentation, less a normalized 1-kernel to the last features and 1000 classes of them."""
    head = n_coarsest * n_features + 2 * n_features
    classifier = 1000 * n_features + 1000
    with torch.device("meta"):
        network = EfficientNetEncoder(encoder, 3, 0.0)
    assert sum(weight.numel() for weight in network.parameters()) == documented - classifier - head
    assert network.channels[-1] == n_coarsest


def _monais_efficientnet(name: str, monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """MONAI pads for one size of images, which differs by network and is odd after some halvings: let it be even."""
    efficientnet = pytest.importorskip("monai.networks.nets.efficientnet")
    width, depth, _, *rates = efficientnet.efficientnet_params[name]
    monkeypatch.setitem(efficientnet.efficientnet_params, name, (width, depth, 64, *rates))
    network = efficientnet.EfficientNetBNFeatures(name, pretrained=False, in_channels=2)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # As small as the activations: else nothing would be left of the image after some twenty layers.
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.05, 0.3)
    return network


@pytest.mark.parametrize("name", ["efficientnet-b0", "efficientnet-b1", "efficientnet-b2", "efficientnet-b4"])
def test_the_efficientnets_are_monais(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """MONAI's load the published weights; it counts the stages in the names too, which the published do not."""
    torch.manual_seed(3)
    theirs = _monais_efficientnet(name, monkeypatch)
    ours = EfficientNetEncoder(name, 2, 0.2)
    head = re.compile(r"(_conv_head|_bn1|_fc)\.")
    weights = {key: weight for key, weight in theirs.state_dict().items() if not head.match(key)}
    ours.load_state_dict({re.sub(r"^_blocks\.\d+\.", "_blocks.", key): weight for key, weight in weights.items()})
    image = torch.randn(2, 2, 64, 96)
    with torch.inference_mode():
        expected = theirs.eval()(image)
        torch.testing.assert_close(ours.eval()(image), expected, atol=1e-4, rtol=1e-3)
    assert [features.shape[2:] for features in expected] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert all(features.std() > 0.1 for features in expected)
    dropped = [block.drop_connect_rate for stage in theirs._blocks for block in stage]
    assert [block.drop_fraction for block in ours._blocks] == pytest.approx(dropped)


def test_blocks_are_passed_over_by_the_seed_alone_and_only_in_training() -> None:
    plan = ArchitecturePlan(name="efficientnet_unet", options={**_EFFICIENTNET, "drop_connect_fraction": 0.9})
    network = build_model(plan, in_channels=1, out_channels=1, dimensions=2)
    image = torch.randn(2, 1, 64, 96)

    def answer(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        with torch.inference_mode():
            return network(image)

    assert torch.equal(answer(1), answer(1))
    assert not torch.equal(answer(1), answer(2))
    network.eval()
    assert torch.equal(answer(1), answer(2))


def test_what_is_passed_over_leaves_the_mean() -> None:
    torch.manual_seed(3)
    found = _drop_samples(torch.ones(4000, 2, 3, 5), 0.2)
    assert found.unique().tolist() == pytest.approx([0, 1 / 0.8])
    assert torch.equal(found.amin((1, 2, 3)), found.amax((1, 2, 3)))
    # Three standard deviations of a mean of 4000 draws.
    assert found.mean().item() == pytest.approx(1, abs=3 * 0.5 / 4000**0.5)
