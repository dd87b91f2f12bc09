"""How much of a contour lies beyond the images."""

import numpy as np

from lesionflow.io.dicom.contours.filling import Corners

#: How far a contour may reach beyond the outermost pixel centers, in pixels: half a pixel is still image, and outlines are
#: drawn along its border.
OUTSIDE_PIXELS = 1.0


def lost_area(corners: Corners, shape: tuple[int, int]) -> tuple[float, float]:
    """Return a contour's area and the area beyond the images, in pixels.

    Args:
        corners: (n, 2) as fractional (row, column) index.
        shape: Rows and columns of the images.
    """
    low, high = -OUTSIDE_PIXELS, np.asarray(shape) - 1 + OUTSIDE_PIXELS
    whole = _area(corners)
    if (corners >= low).all() and (corners <= high).all():
        return whole, 0.0
    kept = corners
    for axis in range(2):
        kept = _cut(_cut(kept, axis, low, 1.0), axis, float(high[axis]), -1.0)
    return whole, max(0.0, whole - _area(kept))


def _area(corners: Corners) -> float:
    """Return the area of a contour: half the sum of the cross products of its edges."""
    if len(corners) < 3:
        return 0.0
    row, column = (corners - corners[0]).T
    return float(abs(np.dot(row, np.roll(column, -1)) - np.dot(np.roll(row, -1), column)) / 2)


def _cut(corners: Corners, axis: int, limit: float, sense: float) -> Corners:
    """Return the part of a contour above a limit of one coordinate, or below it (sense -1), after Sutherland and Hodgman."""
    if not len(corners):
        return corners
    height = (corners[:, axis] - limit) * sense
    following, ends = np.roll(height, -1), np.roll(corners, -1, axis=0)
    crosses = (height < 0) != (following < 0)
    share = np.divide(height, height - following, out=np.zeros_like(height), where=crosses)
    crossing = corners + share[:, None] * (ends - corners)
    # Each corner that is kept, and behind it the point where its edge crosses the limit.
    pairs = np.stack([corners, crossing], axis=1).reshape(-1, 2)
    return pairs[np.stack([height >= 0, crosses], axis=1).ravel()]
