import pytest
import torch

from lesionflow.data.plan import ArchitecturePlan
from lesionflow.errors import ArtifactError
from lesionflow.io.exchange.pretrained_weights import read_weights
from lesionflow.models import ARCHITECTURES, build_model
from lesionflow.models.encoders.efficientnet import EfficientNetEncoder
from lesionflow.models.encoders.resnet import ResNetEncoder
from lesionflow.models.transfer import adapt_channels, transfer_weights


def plan(name, **options):
    return ArchitecturePlan(name=name, options={**ARCHITECTURES[name].small_options, **options})


def build(name, in_channels=2, out_channels=1, seed=0, **options):
    torch.manual_seed(seed)
    return build_model(plan(name, **options), in_channels=in_channels, out_channels=out_channels, dimensions=2)


@pytest.mark.parametrize("name", [name for name, a in ARCHITECTURES.items() if 2 in a.dimensions])
def test_the_same_network_takes_every_weight_and_predicts_the_same(name):
    one, other = build(name, seed=1).eval(), build(name, seed=2).eval()
    done = transfer_weights(other, one.state_dict(), plan(name))
    assert (done.adapted, done.fresh, done.unused) == ((), (), ())
    image = torch.randn(1, 2, 32, 64)
    assert torch.equal(one(image), other(image))


def test_a_head_of_other_targets_is_drawn_anew_and_named():
    one, other = build("unet", out_channels=3, seed=1), build("unet", out_channels=2, seed=2)
    before = other.output.weight.clone()
    done = transfer_weights(other, one.state_dict(), plan("unet"))
    assert done.fresh == done.unused == ("output.weight", "output.bias")
    assert torch.equal(other.output.weight, before)
    assert torch.equal(other.down[0].second[0].weight, one.down[0].second[0].weight)


def test_a_deeper_network_takes_what_the_shallower_has():
    one, other = build("unet", depth=2, seed=1), build("unet", depth=3, seed=2)
    done = transfer_weights(other, one.state_dict(), plan("unet", depth=3))
    assert "down.2.second.0.weight" in done.loaded
    assert {name.split(".")[1] for name in done.fresh if name.startswith("down.")} == {"3"}
    assert done.unused == ()


@pytest.mark.parametrize("n_channels", [1, 2, 3, 6])
def test_channels_that_show_the_same_give_the_same_features(n_channels):
    weight = torch.randn(5, 3, 7, 7)
    picture = torch.randn(1, 1, 11, 13)
    expected = torch.nn.functional.conv2d(picture.repeat(1, 3, 1, 1), weight)
    found = torch.nn.functional.conv2d(picture.repeat(1, n_channels, 1, 1), adapt_channels(weight, n_channels))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_the_first_convolution_alone_is_adapted():
    one, other = build("unet", in_channels=3, seed=1), build("unet", in_channels=6, seed=2)
    done = transfer_weights(other, one.state_dict(), plan("unet"))
    assert done.adapted == ("down.0.first.0.weight",)
    assert done.fresh == ()
    assert torch.equal(other.down[0].first[0].weight[:, 4], one.down[0].first[0].weight.mean(1) / 2)


def test_a_bare_encoder_finds_its_place():
    torch.manual_seed(1)
    pictures = ResNetEncoder("resnet10", 3, 2)
    given = {**pictures.state_dict(), "fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    network = build("resnet_unet", in_channels=1, seed=2)
    done = transfer_weights(network, given, plan("resnet_unet"))
    assert done.adapted == ("encoder.conv1.weight",)
    assert done.unused == ("encoder.fc.weight", "encoder.fc.bias")
    assert not any(name.startswith("encoder.") for name in done.fresh)
    assert torch.equal(network.encoder.layer4[0].conv2.weight, pictures.layer4[0].conv2.weight)


def _names_of_torchvision(blocks, n_convolutions):
    """What torchvision's documentation of ResNet comes to: stem, four layers of blocks, a shortcut where shapes change."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = {"conv1.weight", "fc.weight", "fc.bias", *(f"bn1.{part}" for part in norm)}
    for layer, n_blocks in enumerate(blocks, start=1):
        for block in range(n_blocks):
            prefix = f"layer{layer}.{block}"
            for number in range(1, n_convolutions + 1):
                names |= {f"{prefix}.conv{number}.weight", *(f"{prefix}.bn{number}.{part}" for part in norm)}
            if block == 0 and (layer > 1 or n_convolutions == 3):
                names |= {f"{prefix}.downsample.0.weight", *(f"{prefix}.downsample.1.{part}" for part in norm)}
    return names


@pytest.mark.parametrize(
    ("name", "blocks", "n_convolutions"),
    [("resnet18", (2, 2, 2, 2), 2), ("resnet34", (3, 4, 6, 3), 2), ("resnet50", (3, 4, 6, 3), 3)],
)
def test_a_file_named_as_torchvision_names_it_fills_the_whole_encoder(name, blocks, n_convolutions):
    own = {key: torch.ones_like(weight) for key, weight in ResNetEncoder(name, 3, 2).state_dict().items()}
    names = _names_of_torchvision(blocks, n_convolutions)
    assert names - set(own) == {"fc.weight", "fc.bias"}
    given = {key: own.get(key, torch.zeros(3)) for key in names}
    done = transfer_weights(build("resnet_unet", in_channels=3, encoder=name), given, plan("resnet_unet", encoder=name))
    assert set(done.loaded) == {f"encoder.{key}" for key in own}
    assert set(done.unused) == {"encoder.fc.weight", "encoder.fc.bias"}


def _published_names(n_blocks, n_in_the_first_stage):
    """Of EfficientNet-PyTorch's files: a stem, blocks counted through, the first stage's not widened, a head."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = {"_conv_stem.weight", "_conv_head.weight", "_fc.weight", "_fc.bias"}
    names |= {f"{name}.{part}" for name in ("_bn0", "_bn1") for part in norm}
    for block in range(n_blocks):
        convolutions, norms = ["_depthwise_conv", "_project_conv"], ["_bn1", "_bn2"]
        if block >= n_in_the_first_stage:
            convolutions, norms = [*convolutions, "_expand_conv"], [*norms, "_bn0"]
        names |= {f"_blocks.{block}.{name}.weight" for name in convolutions}
        names |= {f"_blocks.{block}.{name}.{part}" for name in norms for part in norm}
        names |= {f"_blocks.{block}._se_{name}.{part}" for name in ("reduce", "expand") for part in ("weight", "bias")}
    return names


@pytest.mark.parametrize(
    ("name", "n_blocks", "n_in_the_first_stage"),
    [("efficientnet-b0", 16, 1), ("efficientnet-b1", 23, 2), ("efficientnet-b3", 26, 2), ("efficientnet-b4", 32, 2)],
)
@pytest.mark.parametrize("n_channels", [3, 6])
def test_a_file_named_as_the_published_efficientnets_fills_the_whole_encoder(
    name, n_blocks, n_in_the_first_stage, n_channels, tmp_path
):
    own = {key: torch.ones_like(weight) for key, weight in EfficientNetEncoder(name, 3, 0.0).state_dict().items()}
    names = _published_names(n_blocks, n_in_the_first_stage)
    head = {key for key in names if key.startswith(("_conv_head.", "_bn1.", "_fc."))}
    assert names - set(own) == head
    torch.save({key: own.get(key, torch.zeros(3)) for key in names}, tmp_path / f"{name}.pth")
    network = build("efficientnet_unet", in_channels=n_channels, encoder=name)
    given = read_weights(tmp_path / f"{name}.pth", "")
    done = transfer_weights(network, given, plan("efficientnet_unet", encoder=name))
    assert set(done.unused) == {f"encoder.{key}" for key in head}
    assert done.adapted == (("encoder._conv_stem.weight",) if n_channels == 6 else ())
    assert {*done.loaded, *done.adapted} == {f"encoder.{key}" for key in own}
    assert not any(key.startswith("encoder.") for key in done.fresh)
    first = network.encoder._conv_stem.weight
    torch.testing.assert_close(first, torch.full_like(first, 3 / n_channels))


def test_weights_of_another_architecture_are_refused():
    with pytest.raises(ArtifactError, match=r"encoder of unet.*same architecture"):
        transfer_weights(build("unet"), ResNetEncoder("resnet10", 3, 2).state_dict(), plan("unet"))
