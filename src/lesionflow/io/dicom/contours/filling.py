"""From a closed contour to pixels: a pixel belongs when its center lies inside (even-odd rule, exact on centers)."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: An outline round every second pixel of 512 x 512 crosses 260,000 times; so many take a second.
MAX_CROSSINGS = 8_000_000

Corners = NDArray[np.float64]
#: Crossings of edges and rows that are worked on at once.
CHUNK_CROSSINGS = 1 << 21


class Filled(NamedTuple):
    """The pixels of one contour.

    Args:
        box: Rows and columns that it may hold pixels of.
        inside: Bool (row, column) in the box.
        n_twice: Pixels that the contour runs round and that are yet outside by the even-odd rule: it crosses itself.
        n_crossings: How often its edges cross the rows of pixel centers.
    """

    box: tuple[slice, slice]
    inside: NDArray[np.bool_]
    n_twice: int = 0
    n_crossings: int = 0


def fill_contour(corners: Corners, shape: tuple[int, int]) -> Filled:
    """Fill a contour.

    Each row of pixel centers is crossed by edges of the contour; a center is inside when the number of crossings at or
    before it is odd. An edge holds its lower end and not its upper, so a corner on a row of centers counts once. So a
    keyhole's channel holds nothing, both halves of a figure of eight are inside, and what is run round twice is outside.

    Args:
        corners: (n, 2) as fractional (row, column) index, closed by itself.
        shape: Rows and columns of the slice; what lies beyond is cut off.

    Returns:
        The pixels.

    Raises:
        ValueError: When it runs up and down so often that its crossings would fill the memory.
    """
    top, left = (int(v) for v in np.clip(np.ceil(corners.min(axis=0)), 0, shape))
    bottom, right = (int(v) for v in np.clip(np.floor(corners.max(axis=0)) + 1, (top, left), shape))
    # Each edge from its upper end, whichever way it is run along, so that neighbors see the same crossings.
    ends = np.roll(corners, -1, axis=0)
    downward = ends[:, 0] > corners[:, 0]
    upper, lower = np.where(downward[:, None], (corners, ends), (ends, corners))
    first = np.clip(np.ceil(upper[:, 0]), top, bottom).astype(np.intp)
    n_rows = np.clip(np.ceil(lower[:, 0]), top, bottom).astype(np.intp) - first
    if n_rows.sum() > MAX_CROSSINGS:
        message = f"a contour that crosses the rows of its slice {n_rows.sum()} times, more than {MAX_CROSSINGS}"
        raise ValueError(message)
    shaped = (bottom - top, right - left + 1)
    crossings = np.zeros(shaped[0] * shaped[1], dtype=np.intp)
    # Few contours need more than one part: edges by the thousand that each run over all rows.
    for part in _parts(n_rows):
        edge = np.repeat(part, n_rows[part])
        row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(n_rows[part]) - n_rows[part], n_rows[part])
        rise, run = (lower - upper)[edge].T
        # Divided last: a crossing that floating point can hold, as one on a center, is exact.
        crossing = upper[edge, 1] + (row - upper[edge, 0]) * run / rise
        column = np.clip(np.ceil(crossing), left, right).astype(np.intp)
        place = (row - top) * shaped[1] + column - left
        down = downward[edge]
        crossings += np.bincount(place[down], minlength=len(crossings))
        crossings -= np.bincount(place[~down], minlength=len(crossings))
    winding = np.cumsum(crossings.reshape(shaped)[:, :-1], axis=1)
    # Down and up differ by an even number from their sum, so the winding number tells odd from even too.
    inside = winding % 2 == 1
    n_twice = int(np.count_nonzero(winding) - inside.sum())
    return Filled((slice(top, bottom), slice(left, right)), inside, n_twice, int(n_rows.sum()))


def _parts(n_rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Yield edges, so many at a time that their crossings fit into little memory."""
    part = np.cumsum(n_rows) // CHUNK_CROSSINGS
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(n_rows)], strict=True):
        yield np.arange(start, stop)
