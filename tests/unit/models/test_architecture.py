"""What an entry says of its network is so: halvings, options and encoder, measured on the network itself."""

import pytest
import torch

from lesionflow.data.plan import ArchitecturePlan
from lesionflow.models import ARCHITECTURES, build_model, size_multiple
from lesionflow.models.architecture import Architecture

ALL = [(name, d) for name, architecture in ARCHITECTURES.items() for d in architecture.dimensions]


def build(name, dimensions, **options):
    plan = ArchitecturePlan(name=name, options={**ARCHITECTURES[name].small_options, **options})
    with torch.device("meta"):
        return plan, build_model(plan, in_channels=2, out_channels=1, dimensions=dimensions).eval()


def coarsest_convolved(network, image):
    """Voxels of the smallest image that a convolution of the network takes or gives, axis by axis."""
    sizes = []

    def look(_, given, found):
        sizes.extend(tuple(part.shape[2:]) for part in (*given, found))

    convolutions = [part for part in network.modules() if isinstance(part, torch.nn.Conv2d | torch.nn.Conv3d)]
    for part in convolutions:
        part.register_forward_hook(look)
    network(image)
    # Of 1 x 1 are the means of whole images by which channels are weighted: they are no step on the way down.
    return tuple(min(found) for found in zip(*(size for size in sizes if set(size) != {1}), strict=True))


@pytest.mark.parametrize(("name", "dimensions"), ALL)
def test_it_halves_an_image_as_often_as_its_entry_or_its_depth_says(name, dimensions):
    plan, network = build(name, dimensions)
    architecture = ARCHITECTURES[name]
    halvings = plan.options.get("depth", architecture.halvings)
    assert ("depth" in plan.options) != bool(architecture.halvings)
    factors = (2, 3, 4)[-dimensions:]
    image = torch.zeros(1, 2, *(2**halvings * factor for factor in factors), device="meta")
    assert coarsest_convolved(network, image) == factors
    assert size_multiple(plan) == 2**halvings


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_option_of_another_network_is_refused(name):
    entry = ARCHITECTURES[name]
    with torch.device("meta"), pytest.raises(TypeError, match="of_another"):
        entry.build(2, 1, entry.dimensions[0], **entry.small_options, of_another=1)


def test_an_entry_is_not_changed_and_says_least_by_itself():
    entry = Architecture("one", torch.nn.Identity, (2,), {}, "down", "a network")
    assert (entry.weights, entry.halvings, entry.formerly) == ("", 0, ())
    with pytest.raises(AttributeError):
        entry.name = "other"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_no_name_of_now_or_formerly_is_anothers(name):
    others = [entry for entry in ARCHITECTURES.values() if entry.name != name]
    taken = {called for entry in others for called in (entry.name, *entry.formerly)}
    assert not {name, *ARCHITECTURES[name].formerly} & taken
