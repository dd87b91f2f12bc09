"""What the second stage of a cascade learns from: a case with what the first stage found in it as further channels."""

from dataclasses import replace
from types import EllipsisType

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Shape
from lesionflow.preprocessing.pyramid import Box, enlarge, shrink, shrink_labels
from lesionflow.training.batches.cases import ArrayLike, CaseArrays


class HintedImage:
    """An image and hints: kept shrunk, and brought to its size block by block as they are read.

    Args:
        image: (channel, slice, row, column).
        hints: Probabilities (target, slice, row, column) in shrunk space.
        factors: What they are shrunk by.
    """

    def __init__(self, image: ArrayLike, hints: NDArray[np.float32], factors: Shape) -> None:
        self._image = image
        self._hints = hints
        self._factors = factors

    @property
    def shape(self) -> tuple[int, ...]:
        """(channel, slice, row, column), hints included."""
        n_channels, *size = self._image.shape
        return (n_channels + len(self._hints), *size)

    def __getitem__(self, block: tuple[EllipsisType, slice, slice, slice]) -> NDArray[np.float32]:
        """Read a block of all channels."""
        box: Box = block[1:]
        _, *size = self._image.shape
        hints = enlarge(self._hints, self._factors, (size[0], size[1], size[2]), box)
        return np.concatenate([np.asarray(self._image[block], dtype=np.float32), hints])


def with_hints(case: CaseArrays, hints: NDArray[np.float32], factors: Shape) -> CaseArrays:
    """Return a case whose image has hints as its last channels.

    Args:
        case: In model space.
        hints: Probabilities (target, slice, row, column) in the space shrunk by the factors.
        factors: Of (slice, row, column).
    """
    return replace(case, image=HintedImage(case.image, hints, factors))


def shrunk(case: CaseArrays, factors: Shape) -> CaseArrays:
    """Return a case as the first stage of a cascade sees it.

    Args:
        case: In model space.
        factors: Of (slice, row, column).
    """
    return CaseArrays(
        case.case_id,
        shrink(np.asarray(case.image[:]), factors),
        shrink_labels(np.asarray(case.mask[:]), factors),
        {label: np.unique(voxels // np.array(factors), axis=0) for label, voxels in case.foreground.items()},
    )
