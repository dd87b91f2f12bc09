"""How two contours of one plane lie to each other: one within the other, the same, or neither."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionflow.io.dicom.contours.filling import Corners

#: Coordinates are rounded, often to 0.01 mm: so far, in pixels, one contour may reach over another that it touches.
TOUCH_PIXELS = 0.05
#: Corners of copies agree to so many decimals of a pixel.
COPY_DECIMALS = 6
#: Points of a contour that are compared with another's edges at once: neighbors, for which few edges matter.
CHUNK_POINTS = 64
#: Points that are compared with edges at once: 16 bytes each, a few times over.
CHUNK_PAIRS = 1 << 18
#: How densely a contour is looked at where its corners are not enough.
STEP_PIXELS = 0.25


def without_repeats(corners: Corners) -> Corners:
    """Drop corners that repeat the one before, the closing one too."""
    return corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)]


def one_round(corners: Corners) -> Corners:
    """Return the first round of a contour that runs round more than once, else the contour."""
    # Most contours never come back to their first corner.
    for n in np.flatnonzero((corners == corners[0]).all(axis=1))[1:]:
        if not len(corners) % n and (corners == np.roll(corners, n, axis=0)).all():
            return corners[:n]
    return corners


def same_key(corners: Corners) -> bytes:
    """Return what a contour has in common with its copies that begin at another corner or run the other way."""
    # Zero has two signs; positions that came by the same sums may differ in their last bit.
    rounded = np.round(corners, COPY_DECIMALS) + 0.0
    least = int(np.lexsort(rounded.T[::-1])[0]) if len(rounded) else 0
    forward = np.roll(rounded, -least, axis=0)
    return min(forward.tobytes(), np.roll(forward[::-1], 1, axis=0).tobytes())


def has_channel(corners: Corners) -> bool:
    """Tell whether a contour runs along an edge and back: what it joins is meant by the even-odd rule."""
    ends = np.roll(corners, -1, axis=0)
    forth = {edge.tobytes() for edge in np.hstack([corners, ends])}
    return any(edge.tobytes() in forth for edge in np.hstack([ends, corners]))


def _free(n_comparisons: int) -> None:
    """Let any number of comparisons be made."""


def is_within(
    inner: Corners, outer: Corners, tolerance: float = TOUCH_PIXELS, count: Callable[[int], None] = _free
) -> bool:
    """Tell whether a contour encloses nothing that another does not, but for a seam of that width.

    Args:
        inner: (n, 2) as fractional (row, column) index.
        outer: Likewise.
        tolerance: Width of the seam in pixels.
        count: As `depth_outside`.
    """
    return depth_outside(inner, outer, tolerance, count) <= tolerance


def depth_outside(inner: Corners, outer: Corners, most: float, count: Callable[[int], None] = _free) -> float:
    """Return how far a contour reaches out of another, in pixels; infinite beyond `most`.

    The outer contour may run into the inner one, or be a keyhole that runs round it: that counts too.

    Args:
        inner: (n, 2) as fractional (row, column) index.
        outer: Likewise.
        most: In pixels.
        count: Told how many points are to be compared with edges, before they are; may refuse.
    """
    if (inner.min(axis=0) < outer.min(axis=0) - most).any() or (inner.max(axis=0) > outer.max(axis=0) + most).any():
        return math.inf
    beyond = _depth(inner, outer, most, count, side=False)
    return beyond if beyond == math.inf else max(beyond, _depth(outer, inner, most, count, side=True))


def _depth(points: Corners, contour: Corners, most: float, count: Callable[[int], None], *, side: bool) -> float:
    """Return how far corners and edges' middles of one contour lie on that side of another (True: inside)."""
    middles = (points + np.roll(points, -1, axis=0)) / 2
    probes = np.stack([points, middles], axis=1).reshape(-1, 2)
    ends = np.roll(contour, -1, axis=0)
    low, high = np.minimum(contour, ends), np.maximum(contour, ends)
    deepest = 0.0
    for start in range(0, len(probes), CHUNK_POINTS):
        chunk = probes[start : start + CHUNK_POINTS]
        top, bottom = chunk.min(axis=0), chunk.max(axis=0)
        rows = (low[:, 0] <= bottom[0]) & (high[:, 0] >= top[0])
        # Finding the edges is a look at each of them, some twenty to the time of a comparison.
        count(len(contour) // 20 + len(chunk) * int(np.count_nonzero(rows)))
        chunk = chunk[_in_parts(_inside, chunk, contour[rows], ends[rows]) == side]
        if not len(chunk):
            continue
        near = ((low <= bottom + most) & (high >= top - most)).all(axis=1)
        count(len(chunk) * int(np.count_nonzero(near)))
        deepest = max(deepest, _distance(chunk, contour[near], ends[near]))
        if deepest > most:
            return math.inf
    return deepest


def share_near(outer: Corners, inner: Corners, most: float, count: Callable[[int], None] = _free) -> float:
    """Return the share of a contour's length that lies within `most` pixels of another; it counts as `depth_outside`."""
    edges = np.roll(outer, -1, axis=0) - outer
    n_steps = np.maximum(np.ceil(np.linalg.norm(edges, axis=1) / STEP_PIXELS), 1).astype(int)
    count(int(n_steps.sum()) * len(inner))
    edge = np.repeat(np.arange(len(outer)), n_steps)
    along = (np.arange(len(edge)) - np.repeat(np.cumsum(n_steps) - n_steps, n_steps) + 0.5) / n_steps[edge]
    points = outer[edge] + along[:, None] * edges[edge]
    ends = np.roll(inner, -1, axis=0)
    near = _in_parts(_nearest, points, inner, ends) <= most
    return float(np.average(near, weights=(np.linalg.norm(edges, axis=1) / n_steps)[edge]))


def _in_parts(
    compare: Callable[[Corners, Corners, Corners], NDArray[Any]], points: Corners, starts: Corners, ends: Corners
) -> NDArray[Any]:
    """Compare points with edges, so many at a time that it fits into little memory."""
    n_points = max(1, min(CHUNK_POINTS, CHUNK_PAIRS // max(1, len(starts))))
    parts = [compare(points[n : n + n_points], starts, ends) for n in range(0, len(points), n_points)]
    return np.concatenate(parts)


def _inside(points: Corners, starts: Corners, ends: Corners) -> NDArray[np.bool_]:
    """Tell which points lie inside by the even-odd rule, from the edges that pass their rows."""
    row, column = points[:, :1], points[:, 1:]
    spans = (starts[:, 0] <= row) != (ends[:, 0] <= row)
    rise = np.where(ends[:, 0] == starts[:, 0], 1.0, ends[:, 0] - starts[:, 0])
    crossing = starts[:, 1] + (row - starts[:, 0]) * (ends[:, 1] - starts[:, 1]) / rise
    return np.asarray((spans & (crossing <= column)).sum(axis=1) % 2 == 1)


def _distance(points: Corners, starts: Corners, ends: Corners) -> float:
    """Return the largest distance that a point has from its nearest edge; infinite without edges."""
    return float(_in_parts(_nearest, points, starts, ends).max()) if len(starts) else math.inf


def _nearest(points: Corners, starts: Corners, ends: Corners) -> NDArray[np.float64]:
    """Return the distance of each point from its nearest edge."""
    along = ends - starts
    squared = np.maximum((along**2).sum(axis=1), np.finfo(np.float64).tiny)
    offset = points[:, None, :] - starts
    share = np.clip((offset * along).sum(axis=2) / squared, 0.0, 1.0)
    return np.asarray(np.linalg.norm(offset - share[..., None] * along, axis=2).min(axis=1))
