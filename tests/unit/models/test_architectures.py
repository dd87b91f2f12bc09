"""One contract for every architecture: a module of `networks` with its entry is tested without a new file."""

import json
import pkgutil
from importlib import import_module
from itertools import pairwise

import pytest
import torch

from lesionflow.data.plan import ArchitecturePlan
from lesionflow.errors import ConfigError
from lesionflow.io.stores.plans import read_plan
from lesionflow.models import ARCHITECTURES, build_model, find_architecture, networks, size_multiple
from lesionflow.models.architecture import Architecture
from lesionflow.models.transfer import is_encoder

ALL = [(name, d) for name, architecture in ARCHITECTURES.items() for d in architecture.dimensions]

_EFFICIENTNET = ARCHITECTURES["efficientnet_unet"].small_options


def _plan(name: str) -> ArchitecturePlan:
    return ArchitecturePlan(name=name, options=dict(ARCHITECTURES[name].small_options))


def _image(name: str, dimensions: int, batch: int, channels: int) -> torch.Tensor:
    """Asymmetric, two of the network's coarsest voxels along an axis at least: one can't be normalized in training."""
    multiple = size_multiple(_plan(name))
    return torch.randn(batch, channels, *[multiple * k for k in (1, 2, 3)][-dimensions:])


NETWORK_MODULES = [found.name for found in pkgutil.iter_modules(networks.__path__)]
#: What several networks are made of, and none itself.
PARTS = {"encoder_unet"}


@pytest.mark.parametrize("module", NETWORK_MODULES)
def test_every_network_module_declares_an_architecture_of_its_own(module: str) -> None:
    entries = list(vars(import_module(f"{networks.__name__}.{module}")).values())
    declared = [value for value in entries if isinstance(value, Architecture)]
    assert bool(declared) != (module in PARTS), (
        f"Expected an Architecture at the top of src/lesionflow/models/networks/{module}.py, found {len(declared)}: without "
        "one nothing can build the network."
    )
    for architecture in declared:
        assert ARCHITECTURES[architecture.name] is architecture, f"Two networks are called {architecture.name}."
        assert architecture.name.isidentifier()
        assert set(architecture.dimensions) <= {2, 3}
        assert architecture.dimensions
        assert architecture.what, f"Expected a sentence about {architecture.name} for the docs (`what`), found none."


def test_networks_stand_by_name_whatever_their_modules_are_called() -> None:
    assert list(ARCHITECTURES) == sorted(ARCHITECTURES)
    assert {
        "attention_unet", "brats2020_unet", "efficientnet_unet", "inception_unet", "residual_encoder_unet", "resnet_unet",
        "unet", "unetpp",
    } <= set(ARCHITECTURES)  # fmt: skip


@pytest.mark.parametrize(("name", "dimensions"), ALL)
def test_logits_have_the_size_of_the_input_and_every_weight_learns(name: str, dimensions: int) -> None:
    network = build_model(_plan(name), in_channels=2, out_channels=3, dimensions=dimensions)
    image = _image(name, dimensions, 2, 2)
    outputs = network(image)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    assert outputs[0].shape == (2, 3, *image.shape[2:])
    for finer, coarser in pairwise(outputs):
        assert all(f in {c, 2 * c} for f, c in zip(finer.shape[2:], coarser.shape[2:], strict=True))
    torch.stack([output.square().sum() for output in outputs]).sum().backward()
    idle = [key for key, weight in network.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
    # A bias before a normalization has no effect by design; no other weight may be idle.
    assert idle == []
    assert network.eval()(image).shape == (2, 3, *image.shape[2:])


@pytest.mark.parametrize(("name", "dimensions"), ALL)
def test_reloaded_weights_predict_the_same(name: str, dimensions: int) -> None:
    torch.manual_seed(3)
    one = build_model(_plan(name), in_channels=1, out_channels=2, dimensions=dimensions).eval()
    torch.manual_seed(4)
    other = build_model(_plan(name), in_channels=1, out_channels=2, dimensions=dimensions).eval()
    image = _image(name, dimensions, 1, 1)
    with torch.inference_mode():
        assert not torch.equal(one(image), other(image))
        other.load_state_dict(one.state_dict())
        assert torch.equal(one(image), other(image))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_encoder_is_the_way_down_and_nothing_else(name: str) -> None:
    """What the coarsest features depend on; a weight of the decoder has no part in them."""
    network = build_model(_plan(name), in_channels=2, out_channels=1, dimensions=ARCHITECTURES[name].dimensions[-1])
    named = {key for key, _ in network.named_parameters() if is_encoder(key, name)}
    rest = {key for key, _ in network.named_parameters()} - named
    assert named
    assert rest
    decoder = ("up.", "merge.", "gates.", "output.", "heads.")
    outside = {key for key in rest if not key.startswith(decoder)}
    # U-Net++ alone names the blocks of both ways alike: level and step, and step 0 is the way down.
    assert all(name == "unetpp" and key.startswith("blocks.") and "_0." not in key for key in outside)


def test_slices_stay_whole_at_thick_levels() -> None:
    options = {**ARCHITECTURES["residual_encoder_unet"].small_options, "thick_levels": 1}
    plan = ArchitecturePlan(name="residual_encoder_unet", options=options)
    network = build_model(plan, in_channels=1, out_channels=1, dimensions=3)
    assert [output.shape[2:] for output in network(torch.randn(1, 1, 6, 8, 12))] == [(6, 8, 12), (6, 4, 6)]
    # At the top no voxel hears of another slice.
    image = torch.zeros(1, 1, 6, 8, 12)
    changed = image.clone()
    changed[:, :, 3] = 1
    heard = (network.stem[0](image) != network.stem[0](changed)).flatten(3).any(-1).flatten()
    assert heard.reshape(-1, 6).any(0).tolist() == [False, False, False, True, False, False]
    with pytest.raises(ConfigError, match="thick_levels"):
        build_model(plan, in_channels=1, out_channels=1, dimensions=2)


def test_deep_supervision_can_be_switched_off() -> None:
    for name in ("unetpp", "residual_encoder_unet"):
        plan = ArchitecturePlan(name=name, options={**ARCHITECTURES[name].small_options, "deep_supervision": False})
        assert build_model(plan, in_channels=1, out_channels=1, dimensions=2)(torch.randn(1, 1, 8, 12)).shape[1] == 1


def test_the_mean_of_all_heads_speaks_for_unetpp_and_the_finest_for_the_residual_encoder() -> None:
    image = torch.randn(1, 1, 8, 12)
    for name, combine in (
        ("unetpp", lambda outputs: torch.stack(outputs).mean(0)),
        ("residual_encoder_unet", lambda o: o[0]),
    ):
        network = build_model(_plan(name), in_channels=1, out_channels=1, dimensions=2)
        torch.testing.assert_close(combine(network.train()(image)), network.eval()(image))


@pytest.mark.parametrize(
    ("dimensions", "base_channels", "depth", "thick_levels", "channels", "targets", "expected"),
    [
        (2, 32, 6, 0, 6, 1, 105_890_726),
        (3, 32, 5, 0, 4, 3, 102_339_311),
        (2, 8, 3, 0, 2, 2, 547_398),
        (3, 8, 3, 1, 1, 2, 1_615_102),
        (3, 32, 5, 2, 1, 2, 101_667_690),
    ],
)
def test_the_residual_encoder_has_nnunets_number_of_weights(
    dimensions: int, base_channels: int, depth: int, thick_levels: int, channels: int, targets: int, expected: int
) -> None:
    """Counted with dynamic-network-architectures 0.4.4, `ResidualEncoderUNet` with `conv_bias=False`, nnU-Net's blocks.

    Thick levels: kernels of 1 x 3 x 3, and strides of 1 x 2 x 2 to them and below the last.
    """
    options = {
        "thick_levels": thick_levels,
        "base_channels": base_channels, "depth": depth, "normalization": "instance", "activation": "leaky_relu",
        "dropout_fraction": 0.0,
    }  # fmt: skip
    with torch.device("meta"):
        network = build_model(
            ArchitecturePlan(name="residual_encoder_unet", options=options),
            in_channels=channels, out_channels=targets, dimensions=dimensions,
        )  # fmt: skip
    assert sum(weight.numel() for weight in network.parameters()) == expected


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
    network = build_model(
        ArchitecturePlan(name="brats2020_unet", options={}), in_channels=1, out_channels=1, dimensions=3
    )
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
        ("resnet_unet", {**ARCHITECTURES["resnet_unet"].small_options, "encoder": "resnet19"}, 2, "resnet19"),
        ("efficientnet_unet", {**_EFFICIENTNET, "encoder": "efficientnet-b8"}, 2, "efficientnet-b0.*efficientnet-b8"),
        ("efficientnet_unet", {**_EFFICIENTNET, "drop_connect_fraction": 1.0}, 2, "drop_connect_fraction.*1.0"),
        ("efficientnet_unet", {**_EFFICIENTNET, "drop_connect_fraction": -0.1}, 2, "drop_connect_fraction.*-0.1"),
        ("efficientnet_unet", _EFFICIENTNET, 3, "plan.dimensions"),
        ("residual_encoder_unet", {**ARCHITECTURES["residual_encoder_unet"].small_options, "depth": 5}, 2, "n_blocks"),
    ],
)
def test_a_wrong_architecture_is_refused_with_a_hint(name: str, options: dict, dimensions: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        build_model(ArchitecturePlan(name=name, options=options), in_channels=1, out_channels=1, dimensions=dimensions)


@pytest.mark.parametrize(("name", "dimensions"), ALL)
def test_a_fresh_network_takes_tumor_for_rare(name: str, dimensions: int) -> None:
    torch.manual_seed(3)
    network = build_model(_plan(name), in_channels=1, out_channels=2, dimensions=dimensions)
    with torch.inference_mode():
        probability = torch.sigmoid(network.eval()(_image(name, dimensions, 2, 1)))
    assert 0.002 < probability.median() < 0.05


#: A plan of a bundle of version 0, as it lay on disk, and the digest that its card names.
OLD_PLAN = {
    "format": 1,
    "dataset": {
        "name": "blobs", "channels": {"CT": "ct"}, "labels": {"tumor": 1}, "regions": {}, "series_descriptions": {},
        "body_parts": {}, "reconstruction_kernels": {},
    },
    "dimensions": 3,
    "spacing_mm": [None, 1.0, 0.8],
    "patch_size": [16, 24, 32],
    "batch_size": 4,
    "context_slices": 1,
    "channels": [
        {"name": "CT", "kind": "ct", "lower": -100.0, "upper": 200.0, "mean": 20.0, "std": 50.0, "dark_background": False},
    ],
    "denoising": "none",
    "bias_field_correction": False,
    "architecture": {"name": "table_unet", "options": {}, "n_members": 1},
    "inference": {
        "overlap_fraction": 0.25, "flip_axes": [], "probability_threshold": 0.5, "min_lesion_ml": 0.0, "fill_holes": False,
    },
    "decisions": [],
    "coarse": None,
}  # fmt: skip
OLD_DIGEST = "137817bbf83d1bd6596258ae0280a85570298eefd2771698e5a922070dd77933"
#: Channels of its convolutions, in and out, as its weights in that bundle are called.
OLD_CONVOLUTIONS = {
    "down.0.0": (2, 32), "down.0.2": (32, 32), "down.1.0": (32, 64), "down.1.2": (64, 64), "down.2.0": (64, 128),
    "down.2.2": (128, 128), "down.3.0": (128, 256), "down.3.2": (256, 256), "merge.0.0": (256, 128),
    "merge.0.2": (128, 128), "merge.1.0": (128, 64), "merge.1.2": (64, 64),
}  # fmt: skip
OLD_SHAPES = {
    **{f"{name}.weight": (out, source, 3, 3, 3) for name, (source, out) in OLD_CONVOLUTIONS.items()},
    **{f"{name}.bias": (out,) for name, (_, out) in OLD_CONVOLUTIONS.items()},
    "up.0.weight": (256, 128, 2, 2, 2), "up.0.bias": (128,), "up.1.weight": (128, 64, 2, 2, 2), "up.1.bias": (64,),
    "output.weight": (3, 64, 1, 1, 1), "output.bias": (3,),
}  # fmt: skip


def test_an_old_plan_that_says_table_unet_loads_unchanged_and_builds_the_same_network(tmp_path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(OLD_PLAN))
    plan = read_plan(tmp_path / "plan.json")
    assert plan.architecture.name == "table_unet"
    assert plan.digest() == OLD_DIGEST
    assert json.loads(plan.model_dump_json()) == OLD_PLAN
    with torch.device("meta"):
        network = build_model(plan.architecture, in_channels=2, out_channels=3, dimensions=3)
    assert {name: tuple(weight.shape) for name, weight in network.state_dict().items()} == OLD_SHAPES
    assert size_multiple(plan.architecture) == 8


OLD_NAMES = [(old, name) for name, architecture in ARCHITECTURES.items() for old in architecture.formerly]


@pytest.mark.parametrize(("old", "name"), OLD_NAMES)
def test_an_old_name_is_the_same_network_wherever_networks_are_looked_up(old: str, name: str) -> None:
    assert find_architecture(old) is ARCHITECTURES[name]
    assert old not in ARCHITECTURES, f"Two networks answer to {old}."
    torch.manual_seed(3)
    networks = [
        build_model(_plan(name).model_copy(update={"name": n}), in_channels=1, out_channels=2, dimensions=3)
        for n in (old, name)
    ]
    weights = [list(network.state_dict()) for network in networks]
    assert weights[0] == weights[1]
    assert [is_encoder(key, old) for key in weights[0]] == [is_encoder(key, name) for key in weights[0]]
    assert size_multiple(ArchitecturePlan(name=old, options={})) == size_multiple(_plan(name))


def test_table_unet_is_the_one_old_name_there_is() -> None:
    assert OLD_NAMES == [("table_unet", "brats2020_unet")]


def test_an_unknown_network_is_no_size_and_no_encoder() -> None:
    for look_up in (
        lambda: size_multiple(ArchitecturePlan(name="table_unett", options={})),
        lambda: is_encoder("down.0", "table_unett"),
    ):
        with pytest.raises(ConfigError, match="found 'table_unett'"):
            look_up()
