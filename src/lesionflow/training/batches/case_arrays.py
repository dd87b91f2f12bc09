"""What training knows of a case: arrays in model space, wherever they are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.volume import IGNORED


class ArrayLike(Protocol):
    """Something with a shape of which a block can be read: an array, or one that reads a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Axis lengths."""

    def __getitem__(self, block: Any, /) -> Any:
        """Read a block."""


@dataclass(frozen=True, eq=False)
class CaseArrays:
    """One case in model space.

    Args:
        case_id: Its pseudonym.
        image: Floats (channel, slice, row, column), normalized.
        mask: Labels (slice, row, column).
        foreground: Some voxels of each label present: label -> whole numbers (n, 3) in (slice, row, column), n >= 1. Where
            some voxels are not known, also of these, by `IGNORED`, and of those known to be background, by 0.
    """

    case_id: str
    image: ArrayLike
    mask: ArrayLike
    foreground: Mapping[int, NDArray[np.integer[Any]]]

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels that are present, in ascending order."""
        return tuple(sorted(label for label in self.foreground if label not in {0, IGNORED}))

    @property
    def has_ignored(self) -> bool:
        """Some voxels are not known."""
        return IGNORED in self.foreground


def read_block(array: ArrayLike, start: tuple[int, int, int], size: tuple[int, int, int]) -> NDArray[Any]:
    """Read a block of the last three axes; beyond the border the outermost voxels are repeated.

    Args:
        array: (..., slice, row, column).
        start: First (slice, row, column) index; may be negative.
        size: Voxels along (slice, row, column).

    Returns:
        An array of shape (..., *size).
    """
    shape = array.shape[-3:]
    # At least one voxel along each axis is read even when the block lies wholly outside.
    low = [min(max(s, 0), n - 1) for s, n in zip(start, shape, strict=True)]
    high = [max(min(s + k, n), b + 1) for s, k, n, b in zip(start, size, shape, low, strict=True)]
    block = np.asarray(array[(..., *(slice(b, e) for b, e in zip(low, high, strict=True)))])
    if block.shape[-3:] == size:
        return block
    wanted = [np.clip(np.arange(s, s + k), b, e - 1) - b for s, k, b, e in zip(start, size, low, high, strict=True)]
    return np.asarray(block[..., wanted[0][:, None, None], wanted[1][None, :, None], wanted[2][None, None, :]])


def stack_targets(
    labels: NDArray[np.uint8], targets: tuple[tuple[int, ...], ...], *, with_ignored: bool = False
) -> NDArray[np.uint8]:
    """Turn labels into the 0/1 masks of the network's targets.

    Args:
        labels: (slice, row, column).
        targets: The labels that each target unites.
        with_ignored: Put the mask of what is not known behind those of the targets.

    Returns:
        uint8 (target, slice, row, column), with one more of the first axis where it is asked for.
    """
    rows = (*targets, (IGNORED,)) if with_ignored else targets
    table = np.zeros((len(rows), 256), dtype=np.uint8)
    for row, united in zip(table, rows, strict=True):
        row[list(united)] = 1
    return table[:, labels]
