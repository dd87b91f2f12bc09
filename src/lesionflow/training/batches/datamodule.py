"""Batches for Lightning."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Subset

from lesionflow.training.batches.sampling import EpochSampler, Sample, TrainingPatches
from lesionflow.training.batches.slabs import SlabBatch, ValidationSlabs
from lesionflow.training.process_group import SINGLE_PROCESS

Batch = tuple[torch.Tensor, torch.Tensor]


class CaseDataModule(LightningDataModule):
    """Random patches of the training cases, fixed slices of the validation cases.

    Args:
        patches: What to train on.
        slabs: What to validate on; None to train on all there is.
        batch_size: Patches a batch, over all processes that train together.
        batches_per_epoch: Batches an epoch.
        n_workers: Processes that make batches ahead; 0 makes them in this one. The batches are the same.
    """

    def __init__(
        self,
        patches: TrainingPatches,
        slabs: ValidationSlabs | None,
        *,
        batch_size: int,
        batches_per_epoch: int,
        n_workers: int = 0,
    ) -> None:
        super().__init__()
        self.patches = patches
        self.slabs = slabs
        self.batch_size = batch_size
        self.batches_per_epoch = batches_per_epoch
        self.n_workers = n_workers
        self.first_epoch = 0
        self.processes = SINGLE_PROCESS

    def train_dataloader(self) -> DataLoader[Sample]:
        """Return the loader of training batches: float32 images, uint8 targets, and how volumes shall be warped."""
        return DataLoader(
            self.patches,
            batch_size=self.batch_size // self.processes.size,
            sampler=EpochSampler(
                self.batch_size * self.batches_per_epoch,
                self.first_epoch,
                batch_size=self.batch_size,
                rank=self.processes.rank,
                n_processes=self.processes.size,
            ),
            collate_fn=stack_samples,
            generator=_own_generator(),
            num_workers=self.n_workers,
            persistent_workers=self.n_workers > 0,
        )

    def on_after_batch_transfer(self, batch: Any, _: int) -> Any:
        """Warp training patches where the network is; validation slices are left as they are."""
        return batch if isinstance(batch, SlabBatch) else self.patches.finish(batch)

    def val_dataloader(self) -> DataLoader[SlabBatch] | list[DataLoader[SlabBatch]]:
        """Return the loader of this process's share of validation slices; each batch holds slices of one case."""
        if self.slabs is None:
            return []
        own = range(self.processes.rank, len(self.slabs), self.processes.size)
        return DataLoader(Subset(self.slabs, own), batch_size=None, generator=_own_generator())


def stack_samples(samples: Sequence[Sample]) -> tuple[torch.Tensor, ...]:
    """Make a batch of samples, part by part."""
    return tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*samples, strict=True))


def _own_generator() -> torch.Generator:
    """Keep loaders from drawing on torch's own generator: dropout would then depend on when they are made."""
    return torch.Generator().manual_seed(0)
