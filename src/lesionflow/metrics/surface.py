"""Distances between the surfaces of two masks: measured once, all surface metrics from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from lesionflow.data.geometry import SpacingMm

#: A surface voxel is one with a neighbor across a face outside the mask.
FACES = ndimage.generate_binary_structure(3, 1)


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """For each surface voxel of one mask, the distance in mm to the nearest surface voxel of the other.

    Args:
        to_predicted_mm: (n,) from the reference's surface.
        to_reference_mm: (m,) from the prediction's surface.
    """

    to_predicted_mm: NDArray[np.float64]
    to_reference_mm: NDArray[np.float64]

    @property
    def defined(self) -> bool:
        """False when a mask is empty: no distance exists then."""
        return bool(self.to_predicted_mm.size and self.to_reference_mm.size)

    def hausdorff_mm(self, percent: float = 100.0) -> float:
        """The larger of the two directed percentiles, in mm; NaN when a mask is empty. DOI 10.1109/34.232073."""
        if not self.defined:
            return float("nan")
        return float(max(np.percentile(self.to_predicted_mm, percent), np.percentile(self.to_reference_mm, percent)))

    def assd_mm(self) -> float:
        """Average symmetric surface distance in mm; NaN when a mask is empty. DOI 10.1109/TMI.2009.2013851."""
        if not self.defined:
            return float("nan")
        total = self.to_predicted_mm.sum() + self.to_reference_mm.sum()
        return float(total / (self.to_predicted_mm.size + self.to_reference_mm.size))

    def surface_dice(self, tolerance_mm: float) -> float:
        """Share of both surfaces within a tolerance of the other, 0..1; NaN when a mask is empty. DOI 10.2196/26151."""
        if not self.defined:
            return float("nan")
        near = np.count_nonzero(self.to_predicted_mm <= tolerance_mm) + np.count_nonzero(
            self.to_reference_mm <= tolerance_mm
        )
        return float(near / (self.to_predicted_mm.size + self.to_reference_mm.size))


def measure_surfaces(
    reference: NDArray[np.bool_], predicted: NDArray[np.bool_], spacing_mm: SpacingMm
) -> SurfaceDistances:
    """Measure the distances between two surfaces, both ways, with a k-d tree on surface voxels.

    Args:
        reference: Bool (slice, row, column).
        predicted: Bool, same shape.
        spacing_mm: (slice, row, column) spacing.

    Returns:
        The distances; both arrays are empty when either mask is.
    """
    ours, theirs = _surface_mm(reference, spacing_mm), _surface_mm(predicted, spacing_mm)
    if not len(ours) or not len(theirs):
        return SurfaceDistances(np.empty(0), np.empty(0))
    to_predicted, _ = cKDTree(theirs).query(ours)
    to_reference, _ = cKDTree(ours).query(theirs)
    return SurfaceDistances(np.asarray(to_predicted), np.asarray(to_reference))


def _surface_mm(mask: NDArray[np.bool_], spacing_mm: SpacingMm) -> NDArray[np.float64]:
    found = ndimage.find_objects(mask.astype(np.uint8))
    if not found:
        return np.empty((0, 3))
    inside = mask[found[0]]
    # Beyond the border of the box nothing is inside, so that a mask that touches the image's border has a surface there.
    surface = inside & ~ndimage.binary_erosion(inside, FACES, border_value=0)
    offset = np.array([side.start for side in found[0]])
    return np.asarray((np.argwhere(surface) + offset) * np.asarray(spacing_mm))
