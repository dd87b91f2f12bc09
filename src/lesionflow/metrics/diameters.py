"""Diameters of a region within slices, as RECIST 1.1 measures lesions (doi:10.1016/j.ejca.2008.10.026).

Ends lie on the region's outline: halfway between the center of a pixel inside and that of its neighbor outside, where the outlines of an RT structure
set lie too. Of ellipses 3 to 80 pixels long these diameters are 0.2 to 0.5 pixels too long on the mean; between pixels' centers they would be 0.7 to 0.4 too
short, between corners 0.6 to 0.9 too long.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from lesionflow.data.geometry import Geometry
from lesionflow.data.quantities.target_finding import Diameters, PointMm

Points = NDArray[np.float64]
#: Of each pixel the middles of its edges, (row, column).
EDGES = np.array([(-0.5, 0.0), (0.5, 0.0), (0.0, -0.5), (0.0, 0.5)])


def measure_diameters(
    region: NDArray[np.bool_], geometry: Geometry, corner: tuple[int, int, int] = (0, 0, 0), across: int = 0
) -> Diameters:
    """Measure a region in the slice where its convex hull is longest.

    Args:
        region: Bool (slice, row, column), with at least one voxel.
        geometry: The grid.
        corner: Index on the grid of the region's first voxel, where it is cut out.
        across: The axis that goes from slice to slice of the series: 0, unless the grid was reordered.

    Examples:
        >>> grid = Geometry.from_parts((1, 4, 9), (3.0, 0.8, 0.5))
        >>> found = measure_diameters(np.ones((1, 2, 6), dtype=bool), grid)
        >>> round(found.longest_mm, 3), round(found.perpendicular_mm, 3)
        (3.105, 1.656)
    """
    scale = np.delete(np.array(geometry.spacing_mm), across)
    slices = np.moveaxis(region, across, 0)
    places = np.flatnonzero(slices.any(axis=(1, 2)))
    hulls = [(int(place), _outline(slices[place]) * scale) for place in places]
    found = [(place, corners, *_longest(corners)) for place, corners in hulls]
    # The first of those that are alike.
    best, corners, ends_of_longest, _ = max(found, key=lambda each: (round(each[3], 6), -each[0]))

    def ends(points: Points) -> tuple[PointMm, PointMm]:
        index = np.insert(points / scale, across, float(best), axis=1) + np.array(corner, dtype=float)
        (x, y, z), (u, v, w) = geometry.to_lps(index).tolist()
        return (x, y, z), (u, v, w)

    return Diameters(ends(ends_of_longest), ends(_perpendicular(corners, ends_of_longest)))


def _outline(plane: NDArray[np.bool_]) -> Points:
    """Return the corners of the convex hull of a slice's outline, (row, column), in order around it."""
    rows = np.flatnonzero(plane.any(axis=1))
    first = plane[rows].argmax(axis=1)
    last = plane.shape[1] - 1 - plane[rows, ::-1].argmax(axis=1)
    # What lies between a row's first and last pixel is on no hull.
    pixels = np.concatenate([np.column_stack([rows, first]), np.column_stack([rows, last])])
    points = (pixels[:, None] + EDGES).reshape(-1, 2)
    corners: Points = points[ConvexHull(points).vertices]
    return corners


def _longest(corners: Points) -> tuple[Points, float]:
    """Return the two corners that are farthest apart, and how far."""
    # Rounded: of those that are alike the first, wherever the region lies.
    squares = ((corners[:, None] - corners) ** 2).sum(axis=-1).round(6)
    one, other = np.unravel_index(int(squares.argmax()), squares.shape)
    return corners[[one, other]], float(np.linalg.norm(corners[one] - corners[other]))


def _perpendicular(corners: Points, longest: Points) -> Points:
    """Return both ends of the longest line across a hull at right angles to its longest diameter."""
    along = (longest[1] - longest[0]) / np.linalg.norm(longest[1] - longest[0])
    across = np.array([-along[1], along[0]])
    # How far the hull reaches on either side: lines from corner to corner, so that their distance is greatest at one.
    s, t = (corners - longest[0]) @ along, (corners - longest[0]) @ across
    order = np.argsort(s, kind="stable")
    s, t = s[order], t[order]
    above, below = _side(s, t, 1.0), _side(s, t, -1.0)
    best = int((above - below).round(6).argmax())
    base = longest[0] + s[best] * along
    return np.array([base + below[best] * across, base + above[best] * across])


def _side(s: NDArray[np.float64], t: NDArray[np.float64], sign: float) -> NDArray[np.float64]:
    """Return where the hull's upper (or lower) side lies at each corner's place along the longest diameter."""
    of_side = (sign * t >= -1e-9) | (s <= s[0] + 1e-9) | (s >= s[-1] - 1e-9)
    values: NDArray[np.float64] = np.interp(s, s[of_side], t[of_side])
    return values
