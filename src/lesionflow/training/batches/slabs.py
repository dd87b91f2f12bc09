"""What validation looks at: whole slices of each case, chosen once and for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lesionflow.data.volume import outlined
from lesionflow.training.batches.case_arrays import CaseArrays, read_block, stack_targets
from lesionflow.training.batches.sampling import PatchShape

#: Slabs of one case that go through the network at once: enough to keep it busy, few enough for large slices.
SLABS_AT_ONCE = 4


class SlabBatch(NamedTuple):
    """Some slabs of one case; images are padded at their ends to what the network can halve, masks are not.

    Behind the masks of the targets stands that of what is not known, where some case has such voxels.
    """

    case: int
    image: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True)
class _Chunk:
    case: int
    starts: tuple[int, ...]


class ValidationSlabs(Dataset[SlabBatch]):
    """Whole slices (2D) or slabs of slices (3D) of the validation cases.

    Args:
        cases: What to validate on.
        targets: The labels that each target unites.
        patch: What the network sees.
        max_slices: Slices looked at in a case, at most.
        multiple: The network takes sizes that are multiples of this.
    """

    def __init__(
        self,
        cases: Sequence[CaseArrays],
        targets: tuple[tuple[int, ...], ...],
        patch: PatchShape,
        *,
        max_slices: int,
        multiple: int,
    ) -> None:
        self.cases = tuple(cases)
        self.targets = targets
        self.patch = patch
        self.multiple = multiple
        self.with_ignored = any(case.has_ignored for case in self.cases)
        self.chunks = tuple(
            _Chunk(number, starts)
            for number, case in enumerate(self.cases)
            for starts in deal(self._starts(case, max_slices), SLABS_AT_ONCE)
        )

    def __len__(self) -> int:
        """Return how many batches there are."""
        return len(self.chunks)

    def __getitem__(self, index: int) -> SlabBatch:
        """Return some slabs of one case."""
        chunk = self.chunks[index]
        case = self.cases[chunk.case]
        pairs = [self._read(case, start) for start in chunk.starts]
        image, mask = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
        return SlabBatch(chunk.case, torch.from_numpy(_pad(image, self.multiple)), torch.from_numpy(mask))

    def _starts(self, case: CaseArrays, max_slices: int) -> list[int]:
        """First predicted slice of each slab."""
        n_slices, thick = case.mask.shape[0], self.patch.n_mask_slices
        with_tumor = {int(s) // thick for s in np.flatnonzero(outlined(np.asarray(case.mask[:])).any(axis=(1, 2)))}
        n_slabs = -(-n_slices // thick)
        chosen = choose_slabs(n_slabs, with_tumor, max(1, max_slices // thick))
        # The last slab is moved up to end with the volume.
        return [max(0, min(slab * thick, n_slices - thick)) for slab in chosen]

    def _read(self, case: CaseArrays, start: int) -> tuple[NDArray[Any], NDArray[Any]]:
        plane = (case.mask.shape[1], case.mask.shape[2])
        context = (self.patch.size[0] - self.patch.n_mask_slices) // 2
        image = read_block(case.image, (start - context, 0, 0), (self.patch.size[0], *plane)).astype(np.float32)
        labels = read_block(case.mask, (start, 0, 0), (self.patch.n_mask_slices, *plane))
        return self.patch.arrange(image, stack_targets(labels, self.targets, with_ignored=self.with_ignored))


def choose_slabs(n_slabs: int, with_tumor: set[int], most: int) -> list[int]:
    """Choose slabs evenly spread, half of them with tumor where there are as many.

    Args:
        n_slabs: How many the case has.
        with_tumor: Which of them hold tumor.
        most: How many to choose, at most.

    Returns:
        Sorted slab numbers.
    """
    present = sorted(with_tumor)
    absent = sorted(set(range(n_slabs)) - with_tumor)
    n_present = min(len(present), max(most - len(absent), (most + 1) // 2))
    return sorted(_spread(present, n_present) + _spread(absent, most - n_present))


def deal(numbers: list[int], at_once: int) -> list[tuple[int, ...]]:
    """Deal numbers out like cards into hands of at most `at_once`: each hand is spread over all of them.

    A loss over the slices of a hand is then one over slices with and without tumor, as in training.
    """
    n_hands = -(-len(numbers) // at_once)
    return [tuple(numbers[first::n_hands]) for first in range(n_hands)]


def _spread(numbers: list[int], most: int) -> list[int]:
    if len(numbers) <= most:
        return numbers
    # Middles of `most` equal parts.
    return [numbers[int((i + 0.5) * len(numbers) / most)] for i in range(most)]


def _pad(image: NDArray[np.float32], multiple: int) -> NDArray[np.float32]:
    n_space = 3 if image.ndim == 5 else 2
    ends = [(0, -size % multiple) for size in image.shape[-n_space:]]
    return np.pad(image, [(0, 0)] * (image.ndim - n_space) + ends, mode="edge")
