"""Lesions in air: what no patient has, so that whoever reads a mask is told."""

import numpy as np
from scipy import ndimage

from lesionflow.data.dataset import Kind
from lesionflow.data.volume import Mask, Volume
from lesionflow.preprocessing import filled_body

#: A lesion lies outside the body from this share of its voxels on: one at the skin has some, by its partial volumes.
OUTSIDE_FRACTION = 0.5
CONNECTIVITY = np.ones((3, 3, 3), dtype=bool)


def describe_outside(volume: Volume, mask: Mask, kinds: tuple[Kind, ...]) -> str:
    """Say how much of a mask lies outside the body.

    Args:
        volume: What was segmented.
        mask: On its grid.
        kinds: The kind of each channel; without a CT, air can't be told.

    Returns:
        A sentence; empty where no lesion lies outside, or nobody can tell.
    """
    places = np.flatnonzero(mask.labels.any(axis=(1, 2)))
    if "ct" not in kinds or not places.size:
        return ""
    planes = slice(int(places[0]), int(places[-1]) + 1)
    present = mask.labels[planes] > 0
    parts, n_parts = ndimage.label(present, CONNECTIVITY)
    sizes = np.bincount(parts.ravel(), minlength=n_parts + 1)
    outside = np.bincount(parts[present & ~filled_body(volume.array[:, planes], kinds)], minlength=n_parts + 1)
    astray = [number for number in range(1, n_parts + 1) if outside[number] > OUTSIDE_FRACTION * sizes[number]]
    if not astray:
        return ""
    ml = float(sizes[astray].sum()) * mask.geometry.voxel_volume_ml
    which = f"{len(astray)} of {n_parts} lesions ({ml:.2g} ml)" if n_parts > 1 else f"The only lesion ({ml:.2g} ml)"
    lie = "lies" if len(astray) == 1 else "lie"
    return f"{which} {lie} outside the body, in air: the model is wrong there, and may be elsewhere."
