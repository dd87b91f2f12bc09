"""The box around the body: no patch is spent on air."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lesionflow.data.dataset import Kind

#: Below this a CT voxel is air or lung; the box around the largest part above it holds the lungs as well.
BODY_HU = -500.0
#: Pixels of one part share an edge.
STRAIGHT = ndimage.generate_binary_structure(2, 1)

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
    if "ct" in kinds:
        return _box_of_largest(array[kinds.index("ct")])
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


def _box_of_largest(planes: NDArray[np.float32]) -> Box:
    """Return the box of the largest part above -500 HU: parts of slices, joined where they touch the slice before.

    The parts of a whole study would take five bytes a voxel beside it.
    """
    sizes: list[NDArray[Any]] = [np.zeros(0)]
    boxes: list[tuple[int, ...]] = []
    links: list[NDArray[np.int64]] = [np.zeros((2, 0), np.int64)]
    before, first_before, first = np.zeros(planes.shape[1:], np.int32), 0, 0
    for number, plane in enumerate(planes):
        parts, n_parts = ndimage.label(plane > BODY_HU, STRAIGHT)
        here, there, lengths = _runs(parts.ravel(), before.ravel())
        sizes.append(np.bincount(here, lengths, n_parts + 1)[1:])
        both = (here > 0) & (there > 0)
        keys = np.unique(here[both].astype(np.int64) * (first + 1) + there[both])
        here, there = np.divmod(keys, first + 1)
        links.append(np.stack([here + first - 1, there + first_before - 1]))
        boxes += [(number, number + 1, r.start, r.stop, c.start, c.stop) for r, c in ndimage.find_objects(parts)]
        before, first_before, first = parts, first, first + n_parts
    if not boxes:
        return (slice(0, planes.shape[0]), slice(0, planes.shape[1]), slice(0, planes.shape[2]))
    ones, others = np.concatenate(links, axis=1)
    touching = coo_array((np.ones(len(ones), bool), (ones, others)), shape=(first, first))
    _, whole = connected_components(touching, directed=False)
    largest = np.bincount(whole, weights=np.concatenate(sizes)).argmax()
    inside = np.array(boxes)[whole == largest]
    low, high = inside[:, ::2].min(axis=0), inside[:, 1::2].max(axis=0)
    return (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])), slice(int(low[2]), int(high[2])))


def _runs(
    one: NDArray[np.int32], other: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.intp]]:
    """Return the pairs of values that stand in one place of two arrays, and over how many places in a row each does."""
    ends = np.append(np.flatnonzero((one[1:] != one[:-1]) | (other[1:] != other[:-1])), one.size - 1)
    return one[ends], other[ends], np.diff(ends, prepend=-1)


def _largest(parts: NDArray[np.int32], n_parts: int) -> int:
    """Return the number of the largest part; counted by slices, as `bincount` makes every voxel eight bytes."""
    sizes = np.zeros(n_parts + 1, dtype=np.int64)
    for plane in parts:
        sizes += np.bincount(plane.ravel(), minlength=n_parts + 1)
    sizes[0] = 0
    return int(sizes.argmax())
