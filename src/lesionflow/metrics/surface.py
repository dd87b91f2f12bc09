"""Distances between the surfaces of two masks: measured once, all surface metrics from them.

A surface is made of elements, one at each corner where eight voxels meet of which some are inside and some are not. An
element has the area of marching cubes' triangles there, so that thick slices weigh what they measure, not what they count.

Of two empty masks nothing can be measured (NaN). Where one alone is empty, each element of the other is infinitely far from
it: distances are infinite and nothing lies within a tolerance, as in `surface-distance`.

References:
    Nikolov et al. 2021, DOI 10.2196/26151, whose `surface-distance` these elements are; Lorensen and Cline 1987,
    DOI 10.1145/37402.37422.
"""

import math
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lesionflow.data.geometry import SpacingMm
from lesionflow.metrics.boxes import bounding_box
from lesionflow.metrics.pair import MaskPair, Metric

#: Tolerances of the surface Dice (NSD) in mm; 2 mm is about the distance between two radiologists' outlines.
SURFACE_TOLERANCES_MM = (1, 2, 5)
N_CODES = 256
#: What rounding may add to a distance, so that it never decides whether an element lies within a tolerance.
ROUNDING_MM = 1e-6


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """For each surface element of one mask, the distance in mm to the nearest one of the other, and its area in mm2.

    Args:
        to_predicted_mm: (n,) from the reference's surface.
        to_reference_mm: (m,) from the prediction's surface.
        reference_mm2: (n,) areas of the reference's elements.
        predicted_mm2: (m,) areas of the prediction's elements.

    Examples:
        >>> found = SurfaceDistances(np.array([0.0, 4.0]), np.array([0.0, 1.0]), np.array([9.0, 1.0]), np.array([5.0, 5.0]))
        >>> found.hausdorff_mm(), found.hausdorff_mm(90.0)  # 9 of the 10 mm2 of the reference lie on the prediction
        (4.0, 1.0)
        >>> missed = SurfaceDistances(np.array([np.inf]), np.empty(0), np.array([9.0]), np.empty(0))
        >>> missed.hausdorff_mm(), missed.surface_dice(tolerance_mm=5.0)
        (inf, 0.0)
        >>> found.assd_mm()  # (9 * 0 + 1 * 4 + 5 * 0 + 5 * 1) / 20
        0.45
        >>> found.surface_dice(tolerance_mm=0.5)  # (9 + 5) / 20
        0.7
    """

    to_predicted_mm: NDArray[np.float64]
    to_reference_mm: NDArray[np.float64]
    reference_mm2: NDArray[np.float64]
    predicted_mm2: NDArray[np.float64]

    @property
    def defined(self) -> bool:
        """False when both masks are empty: there is nothing to measure then."""
        return bool(self.to_predicted_mm.size or self.to_reference_mm.size)

    def hausdorff_mm(self, percent: float = 100.0) -> float:
        """Hausdorff distance, the larger of both directions, in mm; infinite when one mask is empty. DOI 10.1109/34.232073.

        Args:
            percent: The distance that so much of a surface's area stays within; 100 is the classic distance.
        """
        if not self.defined:
            return float("nan")
        return max(
            _within(self.to_predicted_mm, self.reference_mm2, percent),
            _within(self.to_reference_mm, self.predicted_mm2, percent),
        )

    def assd_mm(self) -> float:
        """Average symmetric surface distance in mm; infinite when one mask is empty. DOI 10.1109/TMI.2009.2013851."""
        if not self.defined:
            return float("nan")
        total = self.to_predicted_mm @ self.reference_mm2 + self.to_reference_mm @ self.predicted_mm2
        return float(total / self._area_mm2)

    def surface_dice(self, tolerance_mm: float) -> float:
        """Share of both surfaces within a tolerance of the other, 0..1; 0 when one mask is empty. DOI 10.2196/26151."""
        if not self.defined:
            return float("nan")
        reach = tolerance_mm + ROUNDING_MM
        near = self.reference_mm2[self.to_predicted_mm <= reach].sum()
        return float((near + self.predicted_mm2[self.to_reference_mm <= reach].sum()) / self._area_mm2)

    @property
    def _area_mm2(self) -> float:
        return float(self.reference_mm2.sum() + self.predicted_mm2.sum())


def measure_surfaces(
    reference: NDArray[np.bool_], predicted: NDArray[np.bool_], spacing_mm: SpacingMm, *, is_flat: bool = False
) -> SurfaceDistances:
    """Measure the distances between two surfaces, both ways, with a k-d tree on surface elements.

    Args:
        reference: Bool (slice, row, column).
        predicted: Bool, same shape.
        spacing_mm: (slice, row, column) spacing.
        is_flat: A single slice stands for a 2D image, which has outlines and no top or bottom.

    Returns:
        The distances; infinite to a mask that is empty.
    """
    (ours, our_mm2), (theirs, their_mm2) = (_elements(mask, spacing_mm, is_flat) for mask in (reference, predicted))
    return SurfaceDistances(_distances_mm(ours, theirs), _distances_mm(theirs, ours), our_mm2, their_mm2)


def surfaces(pair: MaskPair) -> SurfaceDistances:
    """Measure the surfaces of a pair: here the outlines of two pixels, one row of 3 mm apart.

    Examples:
        >>> surfaces(MaskPair([[[1], [0]]], [[[0], [1]]], (1.0, 3.0, 0.5))).to_predicted_mm.tolist()
        [3.0, 3.0, 0.0, 0.0]
    """
    return measure_surfaces(pair.reference, pair.predicted, pair.spacing_mm, is_flat=pair.is_flat)


def _distances_mm(elements: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each element (n, 3) lies from the nearest of the others (m, 3), in mm."""
    if not len(elements) or not len(others):
        return np.full(len(elements), math.inf)
    distances, _ = cKDTree(others).query(elements)
    return np.asarray(distances, dtype=np.float64)


def _within(distances_mm: NDArray[np.float64], areas_mm2: NDArray[np.float64], percent: float) -> float:
    """Return the least distance that a share of the area stays within; 0 of no area."""
    if percent >= 100.0 or not len(distances_mm):
        return float(distances_mm.max(initial=0.0))
    order = np.argsort(distances_mm)
    reached = np.cumsum(areas_mm2[order])
    place = int(np.searchsorted(reached, percent / 100.0 * reached[-1]))
    return float(distances_mm[order[min(place, len(order) - 1)]])


def _elements(
    mask: NDArray[np.bool_],
    spacing_mm: SpacingMm,
    is_flat: bool,  # noqa: FBT001
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the surface elements of a mask lie, (n, 3) in mm, and their areas (n,) in mm2."""
    box = bounding_box(mask)
    if box is None:
        return np.empty((0, 3)), np.empty(0)
    # Beyond the border of the box nothing is inside, so that a mask that touches the image's border has a surface there.
    inside = np.pad(mask[box].view(np.uint8), ((0, 0) if is_flat else (1, 1), (1, 1), (1, 1)))
    if is_flat:
        inside = np.concatenate([inside, inside])
    # One bit for each of the eight voxels around a corner.
    codes = inside[:-1] | inside[1:] << 1
    codes = codes[:, :-1] | codes[:, 1:] << 2
    codes = codes[:, :, :-1] | codes[:, :, 1:] << 4
    places = np.flatnonzero((codes + np.uint8(1)) > 1)
    corners = np.stack(np.unravel_index(places, codes.shape), axis=1) + [side.start for side in box]
    return corners * np.asarray(spacing_mm), _areas_mm2(spacing_mm)[codes.ravel()[places]]


@lru_cache(maxsize=64)
def _areas_mm2(spacing_mm: SpacingMm) -> NDArray[np.float64]:
    """Return the area of the triangles around a corner by the code of its eight voxels, (256,) in mm2."""
    from skimage.measure import marching_cubes, mesh_surface_area

    areas = np.zeros(N_CODES)
    for code in range(1, N_CODES - 1):
        cube = (code >> np.arange(8) & 1).reshape(2, 2, 2).T.astype(float)
        vertices, faces, _, _ = marching_cubes(cube, 0.5, spacing=spacing_mm, method="lorensen")
        areas[code] = mesh_surface_area(vertices, faces)
    # Where voxels touch at an edge or a corner alone, they are told apart; inside and outside are treated alike.
    areas = np.minimum(areas, areas[::-1])
    areas.flags.writeable = False
    return areas


_FAR = "both empty: undefined (NaN); one empty: infinite, counted beside the mean"
_APART = "both empty: undefined (NaN); one empty: 0"
_hd95_mm = partial(SurfaceDistances.hausdorff_mm, percent=95)
METRICS = (
    Metric("hd_mm", "mm", -1, _FAR, surfaces, SurfaceDistances.hausdorff_mm, 0.0, math.inf),
    Metric("hd95_mm", "mm", -1, _FAR, surfaces, _hd95_mm, 0.0, math.inf),
    Metric("assd_mm", "mm", -1, _FAR, surfaces, SurfaceDistances.assd_mm, 0.0, math.inf),
    *(
        Metric(
            f"surface_dice_{mm}mm", "", +1, _APART, surfaces,
            partial(SurfaceDistances.surface_dice, tolerance_mm=mm), 0.0, 1.0,
        )
        for mm in SURFACE_TOLERANCES_MM
    ),
)  # fmt: skip
