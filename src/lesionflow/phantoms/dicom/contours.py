"""Outlines as people draw them: polygons in the planes of the slices."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from lesionflow.phantoms.anatomy.scene import block_around, patient_coordinates
from lesionflow.phantoms.study import PhantomStudy, Structure

#: Row and column step of the level set that is contoured, for targets: between two voxel centers lies one more point,
#: and the centers themselves stay on the lattice, so that which centers lie inside is exactly kept.
TARGET_STEP = 0.5


def contours(study: PhantomStudy, structure: Structure) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the closed contours of a structure, slice by slice.

    Args:
        study: Whose grid the slices belong to.
        structure: What is outlined. A hole gives contours of its own: those of a slice combine by exclusive or.

    Yields:
        Slice index and LPS points (n, 3) in mm, the first not repeated at the end.
    """
    geometry = study.truth.geometry
    if structure.shape is None:
        return
    block = block_around(study.scene, structure.shape, 6.0, geometry)
    if block is None:
        return
    step = TARGET_STEP if structure.label else 1.0
    points = patient_coordinates(study.scene, geometry, block, step)
    level = structure.shape.distance_mm(*points)
    for hole in structure.holes:
        level = np.maximum(level, -hole.distance_mm(*points))
    for k, plane in enumerate(level, block[0].start):
        if plane.min() >= 0:
            continue
        # Outside of the image there is nothing to outline: close what the border cuts.
        closed = np.pad(plane, 1, constant_values=1.0)
        for line in measure.find_contours(closed, 0.0):
            rows_columns = (line[:-1] - 1) * step + (block[1].start, block[2].start)
            index = np.column_stack([np.full(len(rows_columns), k, dtype=float), rows_columns])
            if len(index) >= 3:
                yield k, geometry.to_lps(index)
