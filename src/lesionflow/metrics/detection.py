"""Lesions found and false alarms at many thresholds: what a free-response ROC curve (FROC) is drawn from.

References:
    Chakraborty 1989, "Maximum likelihood analysis of free-response receiver operating characteristic (FROC) data",
    DOI 10.1118/1.596358.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.metrics.lesion import CONNECTIVITY

#: Thresholds of probability, lowest first. Groups of voxels are sought anew at each: a low threshold may join what a high
#: one tells apart, so that false alarms do not simply add up.
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


class Detection(NamedTuple):
    """At one threshold: how many of the reference's lesions are touched, and how many groups touch none."""

    threshold: float
    n_lesions: int
    n_found: int
    n_false_alarms: int


def detect_lesions(
    reference: NDArray[np.bool_], probabilities: NDArray[np.float32], *, min_voxels: int = 1
) -> tuple[Detection, ...]:
    """Count lesions found and false alarms at each of `THRESHOLDS`.

    Args:
        reference: Bool (slice, row, column).
        probabilities: Of the same target, 0..1, same shape.
        min_voxels: Smaller groups neither find nor alarm, as post-processing would remove them.

    Returns:
        The counts, lowest threshold first.

    Raises:
        ValueError: When the shapes differ.

    Examples:
        >>> probabilities = np.array([[[0.6, 0.0, 0.0, 0.0, 0.4]]], np.float32)
        >>> found = detect_lesions(np.array([[[1, 0, 0, 0, 0]]], bool), probabilities)
        >>> [(at.n_found, at.n_false_alarms) for at in found if at.threshold in (0.3, 0.5, 0.7)]
        [(1, 1), (1, 0), (0, 0)]
    """
    if reference.shape != probabilities.shape:
        raise ValueError(f"Expected one shape, found {reference.shape} and {probabilities.shape}.")
    seen = (reference | (probabilities >= THRESHOLDS[0])).astype(np.uint8)
    box = (ndimage.find_objects(seen) or [(slice(0, 1),) * 3])[0]
    lesions, n_lesions = ndimage.label(reference[box], CONNECTIVITY)
    return tuple(
        _detect_at(lesions, int(n_lesions), probabilities[box], threshold, min_voxels) for threshold in THRESHOLDS
    )


def _detect_at(
    lesions: NDArray[np.int32],
    n_lesions: int,
    probabilities: NDArray[np.float32],
    threshold: float,
    min_voxels: int,
) -> Detection:
    groups, n_groups = ndimage.label(probabilities >= threshold, CONNECTIVITY)
    large = np.bincount(groups.ravel(), minlength=n_groups + 1) >= min_voxels
    large[0] = False
    both = (lesions > 0) & large[groups]
    n_real = len(np.unique(groups[both]))
    return Detection(threshold, n_lesions, len(np.unique(lesions[both])), int(np.count_nonzero(large)) - n_real)
