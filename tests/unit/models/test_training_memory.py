import subprocess
import sys
from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch import nn

from lesionflow.data.plan import ArchitecturePlan
from lesionflow.models import ARCHITECTURES, build_model, training_memory
from lesionflow.models.training_memory import HEADROOM, LIBRARIES_MB, training_memory_mb


def by_hand():
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1))


def test_what_autograd_keeps_is_counted_as_by_hand():
    """Kept of 10 x 12 pixels: the image, and what the rectifier gives, once for itself and the next convolution."""
    fixed_mb, sample_mb = training_memory_mb(by_hand, 1, (10, 12))
    weights = (9 * 4 + 4) + (4 + 1)
    assert fixed_mb == pytest.approx(LIBRARIES_MB + weights * 4 * 4 / 1e6)
    kept, widest = 120 + 4 * 120, 4 * 120
    assert sample_mb == pytest.approx(HEADROOM * (kept + 2 * widest) * 4 / 1e6)


def test_memory_grows_with_the_patch_and_nothing_is_allocated():
    small, large = (training_memory_mb(by_hand, 1, (n, 8192))[1] for n in (4096, 8192))
    assert large == pytest.approx(2 * small)
    # Gigabytes were counted; none were taken.
    assert large > 3000


def test_the_network_is_left_on_the_device_it_was_for():
    training_memory_mb(by_hand, 1, (4, 4))
    assert torch.empty(1).device.type == "cpu"


NETWORKS = [(name, d, {}) for name, kind in ARCHITECTURES.items() for d in kind.dimensions] + [
    ("unet", 2, {"normalization": "batch", "activation": "relu", "residual": True, "dropout_fraction": 0.2}),
    ("resnet_unet", 3, {"normalization": "batch", "dropout_fraction": 0.2}),
    ("residual_encoder_unet", 2, {"normalization": "none"}),
]


@pytest.mark.parametrize(("name", "dimensions", "changes"), NETWORKS)
def test_what_is_counted_by_our_rules_for_shapes_is_what_torchs_own_give(name, dimensions, changes, monkeypatch):
    options = {**ARCHITECTURES[name].small_options, **changes}
    plan = ArchitecturePlan(name=name, options=options)
    build = partial(build_model, plan, in_channels=3, out_channels=2, dimensions=dimensions)
    size = (32, 64, 96)[-dimensions:]
    ours = training_memory_mb(build, 3, size)
    monkeypatch.setattr(training_memory, "ByShape", nullcontext)
    assert ours == training_memory_mb(build, 3, size)


def test_counting_loads_no_compiler():
    told = """
import sys
from functools import partial
from lesionflow.data.plan import ArchitecturePlan
from lesionflow.models import ARCHITECTURES, build_model
from lesionflow.models.training_memory import training_memory_mb
plan = ArchitecturePlan(name="unet", options=dict(ARCHITECTURES["unet"].small_options))
training_memory_mb(partial(build_model, plan, in_channels=1, out_channels=1, dimensions=3), 1, (16, 16, 16))
print({"torch._dynamo", "sympy"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
