import os
import signal
from dataclasses import replace

import pytest

from lesionflow.errors import LesionFlowError
from lesionflow.training import CaseDataModule, fit
from lesionflow.training.batches.sampling import TrainingPatches
from lesionflow.training.batches.slabs import ValidationSlabs
from support.training_cases import PATCH, RECIPE, TARGETS, blob_case, tiny_network


class Torn:
    """An array whose file can't be read."""

    def __init__(self, shape, kill):
        self.shape, self.kill = shape, kill

    def __getitem__(self, block):
        if self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError("Input/output error")


def train(n_workers, *, kill):
    good, bad = blob_case(0), blob_case(1)
    bad = replace(bad, image=Torn(bad.image.shape, kill))
    patches = TrainingPatches([good, bad], TARGETS, PATCH, foreground_fraction=0.5, augmentation=None, seed=1)
    slabs = ValidationSlabs([blob_case(2)], TARGETS, PATCH, max_slices=2, multiple=8)
    data = CaseDataModule(patches, slabs, batch_size=4, batches_per_epoch=4, n_workers=n_workers)
    fit(tiny_network, data, RECIPE, device="cpu", n_threads=1, on_epoch=lambda _: None)


@pytest.mark.parametrize("n_workers", [0, 1])
def test_a_case_that_can_not_be_read_is_named(n_workers):
    with pytest.raises(LesionFlowError, match=r"patch of case c-1, found: Input/output error"):
        train(n_workers, kill=False)


def test_a_loader_that_is_killed_names_the_case_it_was_at():
    with pytest.raises(LesionFlowError, match=r"killed while they made patches of c-1.*LESIONFLOW_WORKERS"):
        train(1, kill=True)


def test_other_errors_pass():
    watch = TrainingPatches([blob_case(0)], TARGETS, PATCH, foreground_fraction=0, augmentation=None, seed=1).watch
    with pytest.raises(RuntimeError, match="another"), watch.naming_the_dead():
        raise RuntimeError("another")
    assert watch.unfinished == ()
