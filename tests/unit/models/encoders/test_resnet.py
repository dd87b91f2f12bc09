"""ResNet encoders beside torchvision's and MONAI's."""

import pytest
import torch

from lesionflow.models.encoders.resnet import ResNetEncoder


@pytest.mark.parametrize(
    ("encoder", "expected"), [("resnet18", 11_176_512), ("resnet34", 21_284_672), ("resnet50", 23_508_032)]
)
def test_the_encoders_have_torchvisions_number_of_weights(encoder: str, expected: int) -> None:
    """11,689,512, 21,797,672 and 25,557,032 of torchvision's documentation, less 1000 classes of 512 or 2048 features."""
    classifier = 1000 * (2048 if encoder == "resnet50" else 512) + 1000
    documented = {"resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032}[encoder]
    assert documented - classifier == expected
    with torch.device("meta"):
        network = ResNetEncoder(encoder, 3, 2)
    assert sum(weight.numel() for weight in network.parameters()) == expected


@pytest.mark.parametrize(("name", "dimensions"), [("resnet10", 3), ("resnet18", 3), ("resnet50", 2)])
def test_the_encoders_in_3d_are_monais(name: str, dimensions: int) -> None:
    """MONAI's ResNets are what loads MedicalNet's weights: the same names, and the same features from the same weights."""
    resnet = pytest.importorskip("monai.networks.nets.resnet")
    shortcut = "A" if name in {"resnet18", "resnet34"} else "B"
    theirs = getattr(resnet, name)(
        spatial_dims=dimensions, n_input_channels=1, feed_forward=False, shortcut_type=shortcut, bias_downsample=False,
        conv1_t_stride=2,
    ).eval()  # fmt: skip
    ours = ResNetEncoder(name, 1, dimensions).eval()
    ours.load_state_dict({k: v for k, v in theirs.state_dict().items() if not k.startswith("fc")})
    image = torch.randn(1, 1, *(16, 32, 24)[-dimensions:])
    with torch.inference_mode():
        torch.testing.assert_close(ours(image)[-1].flatten(2).mean(2), theirs(image), atol=1e-4, rtol=1e-3)
