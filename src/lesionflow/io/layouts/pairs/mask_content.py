"""What the voxels of a file say of it where its name says nothing: whether they are a mask's, and whether two masks are of one thing."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionflow.errors import InputError
from lesionflow.io.images import image_files
from lesionflow.io.rules import CASE

#: A mask has few values, and most of it is one of them.
MAX_VALUES, MIN_OUTSIDE_FRACTION = 16, 0.5
#: Compression leaves values near black and white, seldom between.
NEAR, MIN_NEAR_FRACTION = 16, 0.97
#: Two outlines that share more than this (Dice) are of one thing; instances of a structure share an edge at most.
MAX_SHARED = 0.5


def looks_like_mask(path: Path) -> bool:
    """Tell whether a file's voxels are those of a mask; one that can't be read is none."""
    try:
        channels = image_files.read_channels(path, name=CASE)
    except InputError:
        return False
    return is_mask_like(next(iter(channels.values())).array)


def is_mask_like(array: NDArray[Any]) -> bool:
    """Tell whether voxels are few whole numbers, mostly one; or nearly black and white, as a compressed mask is."""
    values, counts = np.unique(array, return_counts=True)
    if len(values) < 2 or not np.array_equal(values, np.rint(values)) or values[0] < 0:
        return False
    if len(values) <= MAX_VALUES:
        return bool(counts.max() >= MIN_OUTSIDE_FRACTION * array.size)
    low, high = counts[values <= NEAR].sum(), counts[values >= 255 - NEAR].sum()
    return bool(
        values[-1] <= 255 and low >= MIN_OUTSIDE_FRACTION * array.size and low + high >= MIN_NEAR_FRACTION * array.size
    )


def shared(masks: Iterable[NDArray[np.bool_]]) -> tuple[float, float]:
    """Say how much two masks share at most: beyond `MAX_SHARED` of both they are of one thing, two readers' or a mask and its older form.

    Args:
        masks: Of one label, on one grid. Equal ones are copies, and not compared.

    Returns:
        The largest Dice of two, and the largest part of the smaller of two that lies within the larger.
    """
    owner: NDArray[np.intp] | None = None
    sizes = [0]
    most, most_within = 0.0, 0.0
    for number, inside in enumerate(masks, 1):
        owner = np.zeros(inside.shape, dtype=np.intp) if owner is None else owner
        sizes.append(int(np.count_nonzero(inside)))
        common = np.bincount(owner[inside], minlength=number)
        for other in np.flatnonzero(common[1:]) + 1:
            alike = 2 * int(common[other]) / (sizes[number] + sizes[other])
            if alike < 1:
                most = max(most, alike)
                most_within = max(most_within, int(common[other]) / min(sizes[number], sizes[other]))
        owner[inside] = number
    return most, most_within
