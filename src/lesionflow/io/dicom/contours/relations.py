"""How two contours of one plane lie to each other: one within the other, the same, or neither."""

import numpy as np
from numpy.typing import NDArray

from lesionflow.io.dicom.contours.filling import Corners

#: Coordinates are rounded, often to 0.01 mm: so far, in pixels, one contour may reach over another that it touches.
TOUCH_PIXELS = 0.05
#: Points compared with edges at once; bounds the memory.
CHUNK_PAIRS = 1 << 20


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


def has_channel(corners: Corners) -> bool:
    """Tell whether a contour runs along an edge and back: what it joins is meant by the even-odd rule."""
    ends = np.roll(corners, -1, axis=0)
    forth = {edge.tobytes() for edge in np.hstack([corners, ends])}
    return any(edge.tobytes() in forth for edge in np.hstack([ends, corners]))


def is_within(inner: Corners, outer: Corners, tolerance: float = TOUCH_PIXELS) -> bool:
    """Tell whether a contour encloses nothing that another does not, but for a seam of that width.

    Args:
        inner: (n, 2) as fractional (row, column) index.
        outer: Likewise.
        tolerance: Width of the seam in pixels.
    """
    if (inner.min(axis=0) < outer.min(axis=0) - tolerance).any():
        return False
    if (inner.max(axis=0) > outer.max(axis=0) + tolerance).any():
        return False
    # The outer contour may run into the inner one, or be a keyhole that runs round it.
    return not _any_deep(inner, outer, tolerance, side=False) and not _any_deep(outer, inner, tolerance, side=True)


def _any_deep(points: Corners, contour: Corners, tolerance: float, *, side: bool) -> bool:
    """Tell whether a corner or an edge's middle of one contour is on that side of another (True: inside), and not near it."""
    probes = np.concatenate([points, (points + np.roll(points, -1, axis=0)) / 2])
    step = max(1, CHUNK_PAIRS // len(contour))
    for start in range(0, len(probes), step):
        chunk = probes[start : start + step]
        doubtful = chunk[_inside(chunk, contour) == side]
        if len(doubtful) and (_distance(doubtful, contour) > tolerance).any():
            return True
    return False


def _inside(points: Corners, contour: Corners) -> NDArray[np.bool_]:
    """Tell which points lie inside by the even-odd rule."""
    ends = np.roll(contour, -1, axis=0)
    row, column = points[:, :1], points[:, 1:]
    spans = (contour[:, 0] <= row) != (ends[:, 0] <= row)
    rise = np.where(ends[:, 0] == contour[:, 0], 1.0, ends[:, 0] - contour[:, 0])
    crossing = contour[:, 1] + (row - contour[:, 0]) * (ends[:, 1] - contour[:, 1]) / rise
    return np.asarray((spans & (crossing <= column)).sum(axis=1) % 2 == 1)


def _distance(points: Corners, contour: Corners) -> NDArray[np.float64]:
    """Return each point's distance from the nearest edge."""
    along = np.roll(contour, -1, axis=0) - contour
    squared = np.maximum((along**2).sum(axis=1), np.finfo(np.float64).tiny)
    offset = points[:, None, :] - contour
    share = np.clip((offset * along).sum(axis=2) / squared, 0.0, 1.0)
    return np.asarray(np.linalg.norm(offset - share[..., None] * along, axis=2).min(axis=1))
