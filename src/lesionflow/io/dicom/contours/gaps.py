"""Slices between contour planes that have no contour: meant to be filled, or what lies between separate parts?"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lesionflow.io.dicom.contours.account import Account
from lesionflow.io.dicom.contours.interpolation import Plane, between, facing_parts, overlap_fraction

#: Contours this many slices apart or more were drawn on some slices only.
SPARSE_SLICES = 1.5
#: How far the distance of two contours may be from the usual one, as a share of it and, on every second slice, in slices.
REGULAR_FRACTION, REGULAR_SLICES = 0.25, 1.1
#: A gap of up to so many usual distances is one contour that was forgotten ...
FORGOTTEN_DISTANCES = 2.25
#: ... if so much of the smaller contour lies over the other.
FORGOTTEN_OVERLAP_FRACTION = 0.5


def usual_distance(positions: NDArray[np.float64]) -> float:
    """Return the distance in slices at which most contour planes follow each other; 1 where nothing tells."""
    distances = np.sort(np.diff(positions))
    # Of two planes nothing tells whether they are neighbors.
    return float(distances[(len(distances) - 1) // 2]) if len(distances) > 1 else 1.0


def is_irregular(positions: NDArray[np.float64]) -> bool:
    """Tell whether contours were drawn on some slices only, at no distance that repeats."""
    usual, distances = usual_distance(positions), np.diff(positions)
    if len(positions) == 2:
        return bool(distances[0] > FORGOTTEN_DISTANCES)
    return usual >= SPARSE_SLICES and bool(np.mean(_is_usual(distances, usual)) <= 0.5)


def fill_gap(
    planes: tuple[Plane, Plane],
    ends: tuple[float, float],
    slices: Sequence[int],
    positions: NDArray[np.float64],
    spacing_mm: tuple[float, float],
    account: Account,
) -> list[Plane]:
    """Return the outlines on the slices between two contour planes.

    Parts that do not lie over each other are separate, and nothing is between them. Else a gap as long as contours are
    usually apart, or one forgotten contour long, is filled; a longer one lies between separate parts, which is noted.

    Args:
        planes: The contours' pixels before and behind the gap.
        ends: Where they lie, in slices.
        slices: The slices between.
        positions: Of all contour planes of the structure.
        spacing_mm: Distance of rows and of columns.
        account: Of the structure.

    Returns:
        A plane a slice; none where the gap stays.

    Raises:
        DicomError: `contour_gaps` when the contours follow each other at no regular distance.
    """
    one, other = facing_parts(*planes)
    if not one.any():
        return []
    if is_irregular(positions):
        account.refuse(
            "contour_gaps",
            "contours on every slice, or at a regular distance",
            f"slices without contours between others, {ends[1] - ends[0]:.3g} slices apart, at no regular distance",
            "Interpolate them where they were drawn.",
        )
    usual, distance = usual_distance(positions), ends[1] - ends[0]
    forgotten = distance <= FORGOTTEN_DISTANCES * max(usual, 1.0)
    enough = forgotten and overlap_fraction(one, other) >= FORGOTTEN_OVERLAP_FRACTION
    if not (enough or (usual >= SPARSE_SLICES and _is_usual(np.array([distance]), usual).all())):
        account.counts["contour_gaps_left"] += len(slices)
        return []
    account.counts["contour_gaps_filled"] += len(slices)
    return [between(one, other, (k - ends[0]) / distance, spacing_mm) for k in slices]


def _is_usual(distances: NDArray[np.float64], usual: float) -> NDArray[np.bool_]:
    return np.asarray(np.abs(distances - usual) <= max(REGULAR_FRACTION * usual, REGULAR_SLICES))
