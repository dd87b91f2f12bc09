"""Masks whose voxels are those of a grid in another order, or of a part of it, or reach beyond it: the same places, other indices."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import SAME_GRID_TOLERANCE_VOXELS, Geometry
from lesionflow.data.volume import Mask


class Extent(NamedTuple):
    """Where voxels lie on a grid, along its axes.

    Args:
        steps: 3 x 3; column i is the step on the grid along axis i of the mask, one voxel to either side.
        low: Index of the first voxel, below 0 beyond the grid.
        high: Index of the last one.
        shape: Of the grid.
    """

    steps: NDArray[np.float64]
    low: NDArray[np.int_]
    high: NDArray[np.int_]
    shape: NDArray[np.int_]

    @property
    def is_whole(self) -> bool:
        """Whether the voxels are those of the grid, each once."""
        return bool((self.low == 0).all() and (self.high == self.shape - 1).all())

    @property
    def reaches_beyond(self) -> bool:
        """Whether there are voxels that the grid has not."""
        return bool((self.low < 0).any() or (self.high >= self.shape).any())

    @property
    def n_other_axes(self) -> int:
        """Axes of the grid along which the voxels begin or end elsewhere."""
        return int(np.count_nonzero((self.low != 0) | (self.high != self.shape - 1)))


def extent_on(found: Geometry, grid: Geometry) -> Extent | None:
    """Tell where on a grid the voxels of another lie.

    Args:
        found: Grid of a mask.
        grid: The grid wanted.

    Returns:
        None where they are no voxels of the grid, or lie beyond one end of an axis and short of the other: what moved a grid
        so is unknown.
    """
    steps = np.rint((np.linalg.inv(grid.affine) @ found.affine)[:3, :3])
    if not _is_signed_permutation(steps):
        return None
    corners = grid.to_index(found.corners_mm())
    if np.abs(corners - np.rint(corners)).max() > SAME_GRID_TOLERANCE_VOXELS:
        return None
    low, high = np.rint(corners.min(axis=0)).astype(int), np.rint(corners.max(axis=0)).astype(int)
    shape = np.asarray(grid.shape)
    within = (low >= 0) & (high < shape)
    around = (low <= 0) & (high >= shape - 1)
    if not (within | around).all() or not np.array_equal(_span(steps, np.asarray(found.shape)), high - low):
        return None
    return Extent(steps, low, high, shape)


def reordered(mask: Mask, grid: Geometry) -> Mask | None:
    """Bring a mask to a grid on whose voxels it lies, whatever the order and direction of its axes.

    Args:
        mask: A mask on its own grid.
        grid: The grid wanted.

    Returns:
        The mask on `grid`, background where it says nothing; None when its voxels are not voxels of the grid, or marked ones
        lie beyond it.

    Examples:
        The mask's columns run the other way; its marked voxel lies at column 0 of the grid.

        >>> grid = Geometry.from_parts((1, 1, 3), (4.0, 3.0, 2.0))
        >>> turned = Geometry(grid.shape, grid.affine @ np.diag([1.0, 1.0, -1.0, 1.0]) + [[0, 0, 0, 4.0], [0] * 4, [0] * 4, [0] * 4])
        >>> reordered(Mask(np.array([[[0, 0, 1]]]), turned), grid).labels.tolist()
        [[[1, 0, 0]]]
    """
    extent = extent_on(mask.geometry, grid)
    if extent is None:
        return None
    turned = np.transpose(mask.labels, np.abs(extent.steps).argmax(axis=1))
    turned = turned[tuple(slice(None, None, int(step)) for step in extent.steps.sum(axis=1))]
    first, last = np.maximum(extent.low, 0), np.minimum(extent.high, extent.shape - 1)
    shared = turned[tuple(slice(a, b + 1) for a, b in zip(first - extent.low, last - extent.low, strict=True))]
    if np.count_nonzero(shared) != np.count_nonzero(turned):
        return None
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))] = shared
    return Mask(labels, grid)


def _is_signed_permutation(steps: NDArray[np.float64]) -> bool:
    magnitude = np.abs(steps)
    return bool((magnitude.sum(axis=0) == 1).all() and (magnitude.sum(axis=1) == 1).all())


def _span(steps: NDArray[np.float64], shape: NDArray[np.int_]) -> NDArray[np.int_]:
    return np.asarray(np.abs(steps) @ (shape - 1), dtype=int)
