"""The box around the body: no patch is spent on air."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.data.dataset import Kind

#: Below this a CT voxel is air or lung; the box around the largest part above it holds the lungs as well.
BODY_HU = -500.0

Box = tuple[slice, slice, slice]


def body_mask(array: NDArray[np.float32], kinds: tuple[Kind, ...]) -> NDArray[np.bool_]:
    """Tell which voxels may be body: in CT the largest part above -500 HU; else every voxel not 0 in some channel.

    Args:
        array: (channel, slice, row, column).
        kinds: The kind of each channel.

    Returns:
        Bool (slice, row, column).
    """
    if "ct" in kinds:
        above = array[kinds.index("ct")] > BODY_HU
        parts, n_parts = ndimage.label(above)
        if n_parts < 2:
            return np.asarray(above)
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        return np.asarray(parts == int(sizes.argmax()))
    return np.asarray((array != 0).any(axis=0))


def body_box(array: NDArray[np.float32], kinds: tuple[Kind, ...]) -> Box:
    """Return the box around the body as three slices; the whole grid when nothing is found.

    Args:
        array: (channel, slice, row, column).
        kinds: The kind of each channel.
    """
    found = ndimage.find_objects(body_mask(array, kinds).astype(np.uint8))
    if not found:
        return (slice(0, array.shape[1]), slice(0, array.shape[2]), slice(0, array.shape[3]))
    box = found[0]
    return (box[0], box[1], box[2])
