"""How many processes make batches beside the one that trains."""

import pytest

from lesionflow.steps.train.compute import Compute
from lesionflow.training import ProcessGroup


@pytest.mark.parametrize(
    ("device", "workers", "n_loaders"),
    [("cpu", 1, 0), ("cpu", 64, 0), ("cuda", 1, 1), ("cuda", 12, 12), ("cuda", 13, 12), ("cuda", 64, 12)],
)
def test_a_cpu_makes_its_batches_itself_and_a_gpu_has_twelve_helpers_at_most(device, workers, n_loaders):
    assert Compute(device, workers, ProcessGroup()).n_loaders == n_loaders
