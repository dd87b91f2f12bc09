"""Masks whose voxels are those of a grid in another order, or of a part of it: the same places, other indices."""

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import SAME_GRID_TOLERANCE_VOXELS, Geometry
from lesionflow.data.volume import Mask


def reordered(mask: Mask, grid: Geometry) -> Mask | None:
    """Bring a mask to a grid on whose voxels it lies, whatever the order and direction of its axes.

    Args:
        mask: A mask on its own grid.
        grid: The grid wanted.

    Returns:
        The mask on `grid`, background where it says nothing; None when its voxels are not voxels of the grid.

    Examples:
        The mask's columns run the other way; its marked voxel lies at column 0 of the grid.

        >>> grid = Geometry.from_parts((1, 1, 3), (4.0, 3.0, 2.0))
        >>> turned = Geometry(grid.shape, grid.affine @ np.diag([1.0, 1.0, -1.0, 1.0]) + [[0, 0, 0, 4.0], [0] * 4, [0] * 4, [0] * 4])
        >>> reordered(Mask(np.array([[[0, 0, 1]]]), turned), grid).labels.tolist()
        [[[1, 0, 0]]]
    """
    to_grid = np.linalg.inv(grid.affine) @ mask.geometry.affine
    steps = np.rint(to_grid[:3, :3])
    if not _is_signed_permutation(steps):
        return None
    shape = np.asarray(mask.geometry.shape)
    corners = grid.to_index(mask.geometry.corners_mm())
    if np.abs(corners - np.rint(corners)).max() > SAME_GRID_TOLERANCE_VOXELS:
        return None
    first, last = corners.min(axis=0), corners.max(axis=0)
    low, high = np.rint(first).astype(int), np.rint(last).astype(int)
    if (low < 0).any() or (high >= np.asarray(grid.shape)).any() or not np.array_equal(_span(steps, shape), high - low):
        return None
    turned = np.transpose(mask.labels, np.abs(steps).argmax(axis=1))
    turned = turned[tuple(slice(None, None, int(step)) for step in steps.sum(axis=1))]
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))] = turned
    return Mask(labels, grid)


def _is_signed_permutation(steps: NDArray[np.float64]) -> bool:
    magnitude = np.abs(steps)
    return bool((magnitude.sum(axis=0) == 1).all() and (magnitude.sum(axis=1) == 1).all())


def _span(steps: NDArray[np.float64], shape: NDArray[np.int_]) -> NDArray[np.int_]:
    return np.asarray(np.abs(steps) @ (shape - 1), dtype=int)
