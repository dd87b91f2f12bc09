"""Shapes of results, by hand; that they are torch's own is tested with every network in `test_memory`."""

import torch
from torch import nn
from torch.nn import functional

from lesionflow.models.meta_shapes import ByShape


def _meta(*shape: int) -> torch.Tensor:
    return torch.empty(*shape, device="meta")


def test_operations_give_shapes_by_hand() -> None:
    with torch.device("meta"), ByShape():
        image = _meta(2, 3, 11, 14)
        strided = nn.Conv2d(3, 5, 3, stride=2, padding=1)(image)
        raised = nn.ConvTranspose2d(3, 4, 2, stride=2)(image)
        joined = torch.cat([image, _meta(2, 4, 11, 14)], dim=1)
        pooled = functional.max_pool2d(image, 2)
        weighed = image * _meta(2, 1, 11, 14)
    # A kernel of three at every second place of eleven and of fourteen, one voxel beyond each end.
    assert strided.shape == (2, 5, 6, 7)
    assert raised.shape == (2, 4, 22, 28)
    assert joined.shape == (2, 7, 11, 14)
    assert pooled.shape == (2, 3, 5, 7)
    assert weighed.shape == (2, 3, 11, 14)
