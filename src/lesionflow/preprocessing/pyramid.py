"""The model space shrunk by whole factors, and back: what the first stage of a cascade sees.

A shrunk voxel covers `factors` voxels of the model space and lies in their middle; along each axis the last one may hang over
the end, where the outermost voxels are repeated.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Shape

Box = tuple[slice, slice, slice]


def shrink(image: NDArray[Any], factors: Shape) -> NDArray[np.float32]:
    """Average blocks of voxels.

    Args:
        image: Floats (channel, slice, row, column).
        factors: Voxels of a block along (slice, row, column).

    Returns:
        (channel, slice, row, column), each axis divided by its factor and rounded up.
    """
    return np.stack([_blocks(channel, factors).mean(axis=(1, 3, 5), dtype=np.float32) for channel in image])


def shrink_labels(labels: NDArray[np.uint8], factors: Shape) -> NDArray[np.uint8]:
    """Give each block the label that most of its voxels have; of two as frequent, the lower.

    Args:
        labels: (slice, row, column).
        factors: Voxels of a block along (slice, row, column).

    Returns:
        (slice, row, column), each axis divided by its factor and rounded up.
    """
    blocks = _blocks(labels, factors)
    kinds = np.unique(labels)
    shares = np.stack([(blocks == kind).mean(axis=(1, 3, 5), dtype=np.float32) for kind in kinds])
    return np.asarray(kinds[shares.argmax(axis=0)])


def enlarge(array: NDArray[np.float32], factors: Shape, shape: Shape, box: Box | None = None) -> NDArray[np.float32]:
    """Bring what was found in shrunk space back, interpolating linearly; beyond the outermost middles it stays as there.

    Args:
        array: (channel, slice, row, column) in shrunk space.
        factors: What it was shrunk by.
        shape: (slice, row, column) of the model space.
        box: The part wanted, without steps; all without it. A part has the very values that it has in the whole.

    Returns:
        (channel, slice, row, column) of the part wanted.
    """
    parts = box or (slice(None), slice(None), slice(None))
    for axis, (factor, size, part) in enumerate(zip(factors, shape, parts, strict=True), start=1):
        array = _stretch(array, axis, factor, np.arange(size)[part])
    return array


def _stretch(
    array: NDArray[np.float32], axis: int, factor: int, wanted: NDArray[np.integer[Any]]
) -> NDArray[np.float32]:
    if factor == 1:
        return array.take(wanted, axis=axis)
    last = array.shape[axis] - 1
    places = np.clip((wanted + 0.5) / factor - 0.5, 0.0, last)
    low = np.floor(places).astype(int)
    weight = (places - low).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(array.ndim)])
    below, above = array.take(low, axis=axis), array.take(np.minimum(low + 1, last), axis=axis)
    return below + (above - below) * weight


def _blocks(array: NDArray[Any], factors: Sequence[int]) -> NDArray[Any]:
    """View (slice, row, column) as (block, within, block, within, block, within), its ends repeated where blocks hang over."""
    ends = [(0, -size % factor) for size, factor in zip(array.shape, factors, strict=True)]
    whole = np.pad(array, ends, mode="edge") if any(end for _, end in ends) else array
    return whole.reshape([part for size, f in zip(whole.shape, factors, strict=True) for part in (size // f, f)])
