import pytest
import torch
from torch import nn

from lesionflow.models.memory import HEADROOM, LIBRARIES_MB, training_memory_mb


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
