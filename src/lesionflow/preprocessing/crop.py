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
        return np.asarray(parts == _largest(parts, n_parts))
    return np.asarray((array != 0).any(axis=0))


def body_box(array: NDArray[np.float32], kinds: tuple[Kind, ...]) -> Box:
    """Return the box around the body as three slices; the whole grid when nothing is found.

    Args:
        array: (channel, slice, row, column).
        kinds: The kind of each channel.
    """
    body = body_mask(array, kinds)
    box = []
    for axis in range(3):
        places = np.flatnonzero(body.any(axis=tuple(i for i in range(3) if i != axis)))
        if not places.size:
            return (slice(0, array.shape[1]), slice(0, array.shape[2]), slice(0, array.shape[3]))
        box.append(slice(int(places[0]), int(places[-1]) + 1))
    return (box[0], box[1], box[2])


def filled_body(array: NDArray[np.float32], kinds: tuple[Kind, ...]) -> NDArray[np.bool_]:
    """Tell which voxels lie within the body's outline: as `body_mask`, slice by slice, with lungs and bowel filled in.

    Args:
        array: (channel, slice, row, column) of any number of slices, as wide as the body's box.
        kinds: The kind of each channel.

    Returns:
        Bool (slice, row, column).
    """
    body = array[kinds.index("ct")] > BODY_HU if "ct" in kinds else (array != 0).any(axis=0)
    return np.stack([ndimage.binary_fill_holes(plane) for plane in body])


def _largest(parts: NDArray[np.int32], n_parts: int) -> int:
    """Return the number of the largest part; counted by slices, as `bincount` makes every voxel eight bytes."""
    sizes = np.zeros(n_parts + 1, dtype=np.int64)
    for plane in parts:
        sizes += np.bincount(plane.ravel(), minlength=n_parts + 1)
    sizes[0] = 0
    return int(sizes.argmax())
