"""Bring array axes to the patient's axes, by permutation and flips alone."""

from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry

#: LPS axis along which (slice, row, column) grow in canonical orientation: head, back, left.
CANONICAL_LPS_AXES = (2, 1, 0)


class Orientation(NamedTuple):
    """How a grid's axes were reordered: new axis i is old axis `order[i]`, reversed where `flipped[i]`."""

    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]


def find_orientation(geometry: Geometry) -> Orientation:
    """Find the permutation and flips that bring each axis closest to slices -> head, rows -> back, columns -> left.

    An oblique grid stays oblique: only the order and the sense of its axes change.
    """
    cosines = geometry.direction[list(CANONICAL_LPS_AXES)]
    near = np.abs(cosines)
    # Six orders can be tried: scipy.optimize takes longer to load than a case to be read.
    order = max(permutations(range(3)), key=lambda old: near[0, old[0]] + near[1, old[1]] + near[2, old[2]])
    flipped = [bool(cosines[new, old] < 0) for new, old in enumerate(order)]
    return Orientation((order[0], order[1], order[2]), (flipped[0], flipped[1], flipped[2]))


def reorient_geometry(geometry: Geometry, orientation: Orientation) -> Geometry:
    """Return the grid after reordering its axes; every voxel stays where it is in the patient."""
    affine = np.eye(4)
    start = np.zeros(3)
    for new, (old, flip) in enumerate(zip(orientation.order, orientation.flipped, strict=True)):
        affine[:3, new] = geometry.affine[:3, old] * (-1 if flip else 1)
        start[old] = geometry.shape[old] - 1 if flip else 0
    affine[:3, 3] = geometry.to_lps(start)
    shape = tuple(geometry.shape[old] for old in orientation.order)
    return Geometry((shape[0], shape[1], shape[2]), affine, geometry.spacing_known)


def reorient(array: NDArray[Any], orientation: Orientation) -> NDArray[Any]:
    """Reorder the last three axes of (..., slice, row, column). A view: what is written into it lands where it belongs."""
    lead = array.ndim - 3
    moved = array.transpose(*range(lead), *(lead + old for old in orientation.order))
    return moved[(..., *(slice(None, None, -1) if flip else slice(None) for flip in orientation.flipped))]
