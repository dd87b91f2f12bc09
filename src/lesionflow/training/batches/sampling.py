"""Which patch is trained on next: a pure function of (seed, epoch, index), whatever the process or order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from lesionflow.augmentation import Augmentation
from lesionflow.preprocessing.slice_context import stack_context
from lesionflow.training.batches.case_arrays import CaseArrays, read_block, stack_targets
from lesionflow.training.batches.loader_watch import LoaderWatch

#: Of the patch: how far from its middle the chosen tumor voxel may lie, in plane.
JITTER_FRACTION = 0.25
#: Tells the random streams that place patches, change them and take coarse predictions from them from one another.
PLACING, AUGMENTING, HIDING = 0, 1, 2

#: Image and mask, and how their batch shall warp them where volumes are warped.
Sample = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class PatchShape:
    """What the network sees.

    Args:
        size: (slice, row, column) voxels of an image patch; in 2D the first is the number of context slices.
        dimensions: 2 when neighboring slices are channels and the middle one is predicted, 3 when all are predicted.
    """

    size: tuple[int, int, int]
    dimensions: int

    @property
    def n_mask_slices(self) -> int:
        """Slices predicted at once."""
        return 1 if self.dimensions == 2 else self.size[0]

    def arrange(self, image: NDArray[Any], mask: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Lay a patch out as the network takes it.

        Args:
            image: (channel, slice, row, column).
            mask: (target, slice, row, column), with `n_mask_slices` slices.

        Returns:
            In 2D (channel x slice, row, column), channel by channel, and (target, row, column); in 3D as they are.
        """
        if self.dimensions == 3:
            return image, mask
        n_context = image.shape[1]
        return stack_context(image, n_context // 2, n_context), mask[:, 0]


@dataclass(frozen=True)
class CoarsePredictionDropout:
    """How often a network that is given coarse predictions has to do without, so that it does not only repeat them.

    Args:
        n_coarse_predictions: Channels at the end of an image that are coarse predictions.
        probability: That all of a sample's are 0.
    """

    n_coarse_predictions: int
    probability: float


class TrainingPatches(Dataset[Sample]):
    """Patches of the training cases, by (epoch, index).

    Args:
        cases: What to train on.
        targets: The labels that each target unites.
        patch: What the network sees.
        foreground_fraction: How many patches lie near a tumor voxel; exact over any run of indices, up to rounding.
        size_exponent: A case of n voxels is drawn in proportion to n to this power: 0 draws all cases equally often, 1 all
            voxels.
        augmentation: Changes of each patch, None for none.
        coarse_prediction_dropout: For the second stage of a cascade.
        seed: Source of all randomness.
    """

    def __init__(
        self,
        cases: Sequence[CaseArrays],
        targets: tuple[tuple[int, ...], ...],
        patch: PatchShape,
        *,
        foreground_fraction: float,
        size_exponent: float = 0.0,
        augmentation: Augmentation | None,
        coarse_prediction_dropout: CoarsePredictionDropout | None = None,
        seed: int,
    ) -> None:
        self.cases = tuple(cases)
        self.with_foreground = tuple(case for case in cases if case.labels)
        #: Every sample has one more mask behind its targets' then: batches are of one shape.
        self.with_ignored = any(case.has_ignored for case in cases)
        self.targets = targets
        self.patch = patch
        self.foreground_fraction = foreground_fraction if self.with_foreground else 0.0
        self.size_exponent = size_exponent
        self._shares = {group: _shares(group, size_exponent) for group in (self.cases, self.with_foreground)}
        self.augmentation = augmentation
        self.coarse_prediction_dropout = coarse_prediction_dropout
        self.seed = seed
        self.watch = LoaderWatch([case.case_id for case in self.cases])

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """Return the patch number `key[1]` of epoch `key[0]`, as `finish` takes it with others.

        Raises:
            LesionFlowError: When a case can't be read or changed; it names the case.
        """
        rng = np.random.default_rng((self.seed, PLACING, *key))
        case, start = self.place(key[1], rng)
        with self.watch.at(case.case_id):
            return self._make(case, start, key)

    def unchanged(self) -> "TrainingPatches":
        """Return the same patches without augmentation."""
        return TrainingPatches(
            self.cases, self.targets, self.patch,
            foreground_fraction=self.foreground_fraction, size_exponent=self.size_exponent, augmentation=None, seed=self.seed,
        )  # fmt: skip

    def _make(self, case: CaseArrays, start: tuple[int, int, int], key: tuple[int, int]) -> Sample:
        image = read_block(case.image, start, self.patch.size).astype(np.float32)
        middle = (start[0] + (self.patch.size[0] - self.patch.n_mask_slices) // 2, *start[1:])
        labels = read_block(case.mask, middle, (self.patch.n_mask_slices, *self.patch.size[1:]))
        mask = stack_targets(labels, self.targets, with_ignored=self.with_ignored)
        drawn = None
        if self.augmentation is not None:
            image, mask = self.augmentation(image, mask, (self.seed, AUGMENTING, *key))
            drawn = self.augmentation.draw_warp(self.patch.size, (self.seed, AUGMENTING, *key))
        if self.coarse_prediction_dropout is not None:
            rng = np.random.default_rng((self.seed, HIDING, *key))
            if rng.random() < self.coarse_prediction_dropout.probability:
                image[-self.coarse_prediction_dropout.n_coarse_predictions :] = 0.0
        return (*self.patch.arrange(image, mask), *(drawn or ()))

    def finish(self, batch: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Do with a batch of patches, where it lies, what is done by batches: warp volumes.

        Args:
            batch: Patches stacked, part by part.

        Returns:
            Images and masks: of each target and, where a case has voxels that are not known, of these behind them.
        """
        image, mask, *drawn = batch
        if not drawn or self.augmentation is None or self.augmentation.warp is None:
            return image, mask
        return self.augmentation.warp.apply(image, mask, drawn[0], drawn[1])

    def place(self, index: int, rng: np.random.Generator) -> tuple[CaseArrays, tuple[int, int, int]]:
        """Choose a case and the first voxel of a patch in it.

        Args:
            index: Number of the sample in its epoch: decides whether it lies near a tumor.
            rng: Source of randomness.

        Returns:
            The case and the patch's first (slice, row, column), which may lie outside the volume.
        """
        if is_foreground(index, self.foreground_fraction):
            case = self._draw(self.with_foreground, rng)
            label = case.labels[rng.integers(len(case.labels))]
            voxels = case.foreground[label]
            jitter = [0 if self.patch.dimensions == 2 else JITTER_FRACTION, JITTER_FRACTION, JITTER_FRACTION]
            reach = np.floor(np.asarray(jitter) * self.patch.size).astype(int)
            center = voxels[rng.integers(len(voxels))] + rng.integers(-reach, reach + 1)
        else:
            case = self._draw(self.cases, rng)
            known = case.foreground.get(0, ()) if case.has_ignored else ()
            center = known[rng.integers(len(known))] if len(known) else rng.integers(case.mask.shape)
        return case, self._start(center, case.mask.shape)

    def _draw(self, cases: tuple[CaseArrays, ...], rng: np.random.Generator) -> CaseArrays:
        if not self.size_exponent:
            return cases[rng.integers(len(cases))]
        return cases[rng.choice(len(cases), p=self._shares[cases])]

    def _start(self, center: NDArray[Any], shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Shift a patch into the volume where it fits; where it does not, center it. Context slices may hang over."""
        start = [int(c) - k // 2 for c, k in zip(center, self.patch.size, strict=True)]
        first = 1 if self.patch.dimensions == 2 else 0
        for axis in range(first, 3):
            room = shape[axis] - self.patch.size[axis]
            start[axis] = min(max(start[axis], 0), room) if room >= 0 else room // 2
        return start[0], start[1], start[2]


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields the keys (epoch, index) of one epoch; Lightning calls `set_epoch` with its own count from 0.

    Args:
        n_samples: Samples an epoch.
        first_epoch: Epochs done before this process, when training is resumed.
        batch_size: Samples of a batch, over all processes.
        rank: Of this process.
        n_processes: Each takes an equal, unbroken part of every batch; `batch_size` is a multiple.
    """

    def __init__(
        self, n_samples: int, first_epoch: int, *, batch_size: int = 1, rank: int = 0, n_processes: int = 1
    ) -> None:
        self.n_samples = n_samples
        self.first_epoch = first_epoch
        self.epoch = 0
        share = batch_size // n_processes
        self._batches = range(rank * share, n_samples, batch_size)
        self._share = share

    def __len__(self) -> int:
        """Return the samples an epoch."""
        return len(self._batches) * self._share

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the keys of the present epoch."""
        epoch = self.first_epoch + self.epoch
        return ((epoch, first + index) for first in self._batches for index in range(self._share))

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next, counted in this process."""
        self.epoch = epoch


def _shares(cases: Sequence[CaseArrays], size_exponent: float) -> NDArray[np.float64]:
    weights = np.array([prod(case.mask.shape) for case in cases], dtype=float) ** size_exponent
    return weights / weights.sum()


def is_foreground(index: int, fraction: float) -> bool:
    """Tell whether sample number `index` lies near a tumor: evenly spread, a `fraction` of all."""
    return int((index + 1) * fraction + 1e-9) > int(index * fraction + 1e-9)
