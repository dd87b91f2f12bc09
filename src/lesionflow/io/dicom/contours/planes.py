"""Contours in space -> slices: which contours share a plane, which plane a slice takes, what of them lies beyond the images."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.io.dicom.contours.account import Account
from lesionflow.io.dicom.contours.combining import combine
from lesionflow.io.dicom.contours.extent import lost_area
from lesionflow.io.dicom.contours.gaps import fill_gap, usual_distance
from lesionflow.io.dicom.contours.interpolation import Plane
from lesionflow.io.dicom.contours.points import Contour

#: How far from flat a contour may be, and how far from a slice without a word, in slice distances.
OFF_PLANE_FRACTION = 0.25
#: Contours nearer to one another than this, in slice distances, lie on one plane: positions are rounded.
SAME_PLANE_FRACTION = 0.1
#: A plane halfway between two slices belongs to the first, however it was rounded.
TIE_FRACTION = 0.01
#: Share of the outlined area that may lie beyond the images: more tells of missing slices, or of another series.
LOST_FRACTION = 0.05
#: Share of a structure that its contours may run round twice.
TWICE_FRACTION = 0.05


class ContourPlane(NamedTuple):
    """Contours of one plane.

    Args:
        position: Along the slices, as fractional index.
        contours: Their corners (n, 2) as fractional (row, column) index.
    """

    position: float
    contours: list[Contour]


def fill_structure(contours: Iterable[Contour], geometry: Geometry, account: Account) -> NDArray[np.bool_]:
    """Return the voxels of one structure.

    Args:
        contours: Corners (n, 3) in LPS mm.
        geometry: Of the series.
        account: Of the structure.

    Raises:
        DicomError: `contour_off_plane`, `contour_outside_image`, `contour_gaps`, and all reasons of `combine`.
    """
    planes = _sort_into_planes(contours, geometry, account)
    inside = np.zeros(geometry.shape, dtype=bool)
    if not planes:
        return inside
    _refuse_lost(planes, geometry, account)
    positions = np.array([plane.position for plane in planes])
    taken = _taken(positions, geometry.shape[0])
    _count_off_slices(positions, taken, account)

    slice_of = {int(n): int(k) for k, n in reversed(list(enumerate(taken))) if n >= 0}

    @lru_cache(maxsize=2)
    def combined(n: int) -> Plane:
        return combine(planes[n].contours, (geometry.shape[1], geometry.shape[2]), account)

    def pixels(n: int) -> Plane:
        return inside[slice_of[n]] if n in slice_of else combined(n)

    for k in np.flatnonzero(taken >= 0):
        first = slice_of[int(taken[k])]
        inside[k] = combined(int(taken[k])) if first == k else inside[first]
    _fill_gaps(inside, positions, taken, pixels, geometry, account)
    _refuse_unseen(inside, positions, taken, pixels, account)
    _refuse_twice(inside, account)
    return inside


def _sort_into_planes(contours: Iterable[Contour], geometry: Geometry, account: Account) -> list[ContourPlane]:
    found = []
    for contour in contours:
        index = geometry.to_index(contour.corners)
        position = float(index[:, 0].mean())
        if np.abs(index[:, 0] - position).max() > OFF_PLANE_FRACTION:
            account.refuse(
                "contour_off_plane",
                "contours in the plane of the slices",
                f"one from slice index {index[:, 0].min():.2f} to {index[:, 0].max():.2f}",
                "Was it drawn on another series?",
            )
        found.append((position, Contour(index[:, 1:], contour.exclusive)))
    planes: list[ContourPlane] = []
    for position, contour in sorted(found, key=lambda pair: pair[0]):
        if not planes or position - planes[-1].position > SAME_PLANE_FRACTION:
            planes.append(ContourPlane(position, []))
        planes[-1].contours.append(contour)
    return planes


def _taken(positions: NDArray[np.float64], n_slices: int) -> NDArray[np.intp]:
    """Return the plane that each slice takes, -1 for none: the nearest within half their distance, at most half a slice's."""
    slices = np.arange(n_slices) + TIE_FRACTION
    right = np.clip(np.searchsorted(positions, slices), 1, max(len(positions) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(positions) - 1)
    nearest = np.where(slices - positions[left] <= positions[right] - slices, left, right)
    # Within a structure a plane holds up to the next; beyond its ends, half the usual distance.
    reach = max(OFF_PLANE_FRACTION, min(1.0, usual_distance(positions)) / 2)
    within = (positions[0] <= slices) & (slices <= positions[-1])
    close = positions[right] - positions[left] <= 1 + OFF_PLANE_FRACTION
    limit = np.where(within, np.where(close, 1.0, 0.5), reach)
    return np.where(np.abs(slices - positions[nearest]) <= limit, nearest, -1)


def _count_off_slices(positions: NDArray[np.float64], taken: NDArray[np.intp], account: Account) -> None:
    """Count planes that are off every slice, and those that no slice takes as others are nearer."""
    inside = (positions >= -0.5) & (positions < len(taken) - 0.5)
    off = np.abs(positions - np.round(positions)) > OFF_PLANE_FRACTION
    unused = ~np.isin(np.arange(len(positions)), taken)
    account.counts["contours_between_slices"] += int((inside & (off | unused)).sum())


def _fill_gaps(
    inside: NDArray[np.bool_],
    positions: NDArray[np.float64],
    taken: NDArray[np.intp],
    pixels: Callable[[int], Plane],
    geometry: Geometry,
    account: Account,
) -> None:
    slices = np.flatnonzero(
        (taken < 0) & (np.arange(len(taken)) > positions[0]) & (np.arange(len(taken)) < positions[-1])
    )
    before = np.searchsorted(positions, slices) - 1
    for n in np.unique(before):
        gap = [int(k) for k in slices[before == n]]
        ends = float(positions[n]), float(positions[n + 1])
        sides = pixels(int(n)), pixels(int(n) + 1)
        filled = fill_gap(sides, ends, gap, positions, geometry.spacing_mm[1:], account)
        for k, plane in zip(gap, filled, strict=False):
            inside[k] = plane


def _refuse_unseen(
    inside: NDArray[np.bool_],
    positions: NDArray[np.float64],
    taken: NDArray[np.intp],
    pixels: Callable[[int], Plane],
    account: Account,
) -> None:
    """Refuse what would vanish as it lies on planes that no slice takes: planes finer than the slices show the same part."""
    for n in np.flatnonzero(~np.isin(np.arange(len(positions)), taken)):
        if not -0.5 <= positions[n] < len(taken) - 0.5:
            continue
        around = np.clip([np.floor(positions[n]), np.ceil(positions[n])], 0, len(taken) - 1).astype(int)
        plane = pixels(int(n))
        unseen = np.count_nonzero(plane & ~inside[around].any(axis=0))
        if 2 * unseen > np.count_nonzero(plane):
            account.refuse(
                "contour_off_plane",
                "contours on the planes of the slices",
                f"some at slice index {positions[n]:.2f} that no slice would show",
                "Was a part of it drawn on another series?",
            )


def _refuse_twice(inside: NDArray[np.bool_], account: Account) -> None:
    """Refuse a structure of which more than a little is run round twice: a hole, or a part of it?"""
    n_twice, n_inside = account.counts["self_crossing_contours"], int(inside.sum())
    if n_twice > max(1, TWICE_FRACTION * (n_twice + n_inside)):
        account.refuse(
            "self_crossing_contour",
            "contours that do not run round the same pixels twice",
            f"some that do so for {n_twice} pixels beside {n_inside}",
            "Draw them again.",
        )


def _refuse_lost(planes: Sequence[ContourPlane], geometry: Geometry, account: Account) -> None:
    """Refuse a structure that lies beyond the images by more than a little; count the little."""
    n_slices, n_rows, n_columns = geometry.shape
    whole = lost = 0.0
    for plane in planes:
        on_a_slice = -0.5 - TIE_FRACTION <= plane.position < n_slices - 0.5
        for contour in plane.contours:
            area, beyond = lost_area(contour.corners, (n_rows, n_columns))
            whole += area
            lost += beyond if on_a_slice else area
    if lost > LOST_FRACTION * whole:
        account.refuse(
            "contour_outside_image",
            "contours inside the images",
            f"{lost / whole:.0%} of what they enclose beyond them",
            "Is a slice missing, or was it drawn on another series?",
        )
    account.counts["contours_clipped"] += int(np.ceil(1000 * lost / whole)) if lost else 0
