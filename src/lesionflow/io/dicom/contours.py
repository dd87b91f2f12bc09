"""From closed contours to pixels: a pixel belongs when its center lies inside (even-odd rule, exact on centers)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def fill_contours(contours: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Fill the closed contours of one slice, combined by exclusive or.

    Each row of pixel centers is crossed by edges of the contours; a center is inside when the number of crossings at or
    before it is odd. An edge holds its lower end and not its upper, so a corner on a row of centers counts once.

    Args:
        contours: Corners (n, 2) as fractional (row, column) index, each contour closed by itself.
        shape: Rows and columns of the slice; what lies beyond is cut off.

    Returns:
        Bool (row, column).
    """
    starts = np.concatenate(contours)
    ends = np.concatenate([np.roll(corners, -1, axis=0) for corners in contours])
    upper, lower = np.minimum(starts[:, 0], ends[:, 0]), np.maximum(starts[:, 0], ends[:, 0])
    first = np.clip(np.ceil(upper), 0, shape[0]).astype(np.intp)
    n_rows = np.clip(np.ceil(lower), 0, shape[0]).astype(np.intp) - first
    edge = np.repeat(np.arange(len(starts)), n_rows)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows)
    slope = (ends[edge, 1] - starts[edge, 1]) / (ends[edge, 0] - starts[edge, 0])
    crossing = starts[edge, 1] + (row - starts[edge, 0]) * slope
    column = np.clip(np.ceil(crossing), 0, shape[1]).astype(np.intp)
    crossings = np.bincount(row * (shape[1] + 1) + column, minlength=shape[0] * (shape[1] + 1))
    before = np.cumsum(crossings.reshape(shape[0], shape[1] + 1)[:, :-1], axis=1)
    return np.asarray(before % 2 == 1)
