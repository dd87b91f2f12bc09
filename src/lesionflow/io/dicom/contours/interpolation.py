"""The outline between two outlines, by shape: halfway between them its distance from each edge is halfway too.

Shape-based interpolation after Raya and Udupa, doi:10.1109/42.52980: signed distances to the edges are interpolated linearly.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Plane = NDArray[np.bool_]


def facing_parts(one: Plane, other: Plane) -> tuple[Plane, Plane]:
    """Return of each plane the connected parts that lie over a part of the other."""
    return _parts_over(one, other), _parts_over(other, one)


def overlap_fraction(one: Plane, other: Plane) -> float:
    """Return how much of the smaller of two planes lies over the other."""
    smaller = min(np.count_nonzero(one), np.count_nonzero(other))
    return float(np.count_nonzero(one & other) / smaller) if smaller else 0.0


def between(one: Plane, other: Plane, share: float, spacing_mm: tuple[float, float]) -> Plane:
    """Return the outline between two.

    Args:
        one: Bool (row, column).
        other: Likewise.
        share: Where between, 0 at the first and 1 at the second.
        spacing_mm: Distance of rows and of columns.
    """
    box = _box(one | other)
    between_them = np.zeros_like(one)
    distance = [_signed_distance(plane[box], spacing_mm) for plane in (one, other)]
    between_them[box] = (1 - share) * distance[0] + share * distance[1] > 0
    return between_them


def _parts_over(plane: Plane, other: Plane) -> Plane:
    parts, _ = ndimage.label(plane, structure=np.ones((3, 3)))
    met = np.unique(parts[other & plane])
    return np.isin(parts, met) & plane


def _box(plane: Plane) -> tuple[slice, slice]:
    (found,) = ndimage.find_objects(plane.astype(np.uint8))
    return found[0], found[1]


def _signed_distance(plane: Plane, spacing_mm: tuple[float, float]) -> NDArray[np.float64]:
    """Return each pixel's distance from the nearest pixel of the other side, positive inside."""
    framed = np.pad(plane, 1)
    inside = ndimage.distance_transform_edt(framed, sampling=spacing_mm)
    outside = ndimage.distance_transform_edt(~framed, sampling=spacing_mm)
    return np.asarray((inside - outside)[1:-1, 1:-1])
