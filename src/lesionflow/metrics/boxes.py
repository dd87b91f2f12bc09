"""The box around masks: in a body mostly of air, what lies outside of it costs nothing."""

import numpy as np
from numpy.typing import NDArray


def bounding_box(*masks: NDArray[np.bool_]) -> tuple[slice, ...] | None:
    """Find the box around all of some masks.

    Args:
        masks: Bool, all of one shape.

    Returns:
        A slice an axis; None when nothing is inside any mask.

    Examples:
        >>> bounding_box(np.array([[0, 0, 1, 0], [0, 0, 0, 0]], bool), np.array([[0, 1, 0, 0], [0, 0, 0, 0]], bool))
        (slice(0, 1, None), slice(1, 3, None))
    """
    box = [slice(0, n) for n in masks[0].shape]
    for axis in range(masks[0].ndim):
        # Each axis looks only at what the last one left.
        others = tuple(i for i in range(masks[0].ndim) if i != axis)
        present = np.logical_or.reduce([mask[tuple(box)].any(axis=others) for mask in masks])
        places = np.flatnonzero(present)
        if not places.size:
            return None
        box[axis] = slice(int(places[0]), int(places[-1]) + 1)
    return tuple(box)
