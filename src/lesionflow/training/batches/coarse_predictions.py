"""What the second stage of a cascade learns from: a case with what the first stage found in it as further channels."""

from dataclasses import replace
from types import EllipsisType

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Shape
from lesionflow.preprocessing.pyramid import Box, enlarge, shrink, shrink_labels
from lesionflow.training.batches.case_arrays import ArrayLike, CaseArrays


class ImageWithCoarsePredictions:
    """An image and coarse predictions: kept shrunk, and brought to its size block by block as they are read.

    Args:
        image: (channel, slice, row, column).
        coarse_predictions: Probabilities (target, slice, row, column) in shrunk space.
        factors: What they are shrunk by.
    """

    def __init__(self, image: ArrayLike, coarse_predictions: NDArray[np.float32], factors: Shape) -> None:
        self._image = image
        self._coarse_predictions = coarse_predictions
        self._factors = factors

    @property
    def shape(self) -> tuple[int, ...]:
        """(channel, slice, row, column), coarse predictions included."""
        n_channels, *size = self._image.shape
        return (n_channels + len(self._coarse_predictions), *size)

    def __getitem__(self, block: tuple[EllipsisType, slice, slice, slice]) -> NDArray[np.float32]:
        """Read a block of all channels."""
        box: Box = block[1:]
        _, *size = self._image.shape
        coarse_predictions = enlarge(self._coarse_predictions, self._factors, (size[0], size[1], size[2]), box)
        return np.concatenate([np.asarray(self._image[block], dtype=np.float32), coarse_predictions])


def with_coarse_predictions(case: CaseArrays, coarse_predictions: NDArray[np.float32], factors: Shape) -> CaseArrays:
    """Return a case whose image has coarse predictions as its last channels.

    Args:
        case: In model space.
        coarse_predictions: Probabilities (target, slice, row, column) in the space shrunk by the factors.
        factors: Of (slice, row, column).
    """
    return replace(case, image=ImageWithCoarsePredictions(case.image, coarse_predictions, factors))


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
