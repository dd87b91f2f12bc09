"""Candidates from probabilities: what a free-response ROC curve (FROC) is drawn from.

References:
    Chakraborty 1989, "Maximum likelihood analysis of free-response receiver operating characteristic (FROC) data",
    DOI 10.1118/1.596358.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.metrics.lesion import CONNECTIVITY

#: Below this probability nothing is a candidate.
LOWEST_PROBABILITY = 0.1


class Candidates(NamedTuple):
    """What could have been found at each threshold.

    `lesions`: for each lesion of the reference the highest probability within it, 0 when below the lowest.
    `false_alarms`: for each group of voxels above the lowest probability that touches no lesion, its highest.
    """

    lesions: tuple[float, ...]
    false_alarms: tuple[float, ...]


def find_candidates(
    reference: NDArray[np.bool_], probabilities: NDArray[np.float32], *, min_voxels: int = 1
) -> Candidates:
    """Find lesions and false alarms with the probability at which each appears.

    Args:
        reference: Bool (slice, row, column).
        probabilities: Of the same target, 0..1, same shape.
        min_voxels: Smaller groups are no candidates, as post-processing would remove them.

    Returns:
        The candidates.

    Raises:
        ValueError: When the shapes differ.
    """
    if reference.shape != probabilities.shape:
        raise ValueError(f"Expected one shape, found {reference.shape} and {probabilities.shape}.")
    likely = probabilities >= LOWEST_PROBABILITY
    box = (ndimage.find_objects((reference | likely).astype(np.uint8)) or [(slice(0, 1),) * 3])[0]
    reference, probabilities, likely = reference[box], probabilities[box], likely[box]
    ours, n_ours = ndimage.label(reference, CONNECTIVITY)
    theirs, n_theirs = ndimage.label(likely, CONNECTIVITY)
    heights = _highest(probabilities, ours, n_ours)
    sizes = np.bincount(theirs.ravel(), minlength=n_theirs + 1)[1:]
    false = np.ones(n_theirs, bool)
    touching = np.unique(theirs[reference])
    false[touching[touching > 0] - 1] = False
    false &= sizes >= min_voxels
    return Candidates(
        tuple(float(h) if h >= LOWEST_PROBABILITY else 0.0 for h in heights),
        tuple(float(h) for h in _highest(probabilities, theirs, n_theirs)[false]),
    )


def _highest(probabilities: NDArray[np.float32], labels: NDArray[np.int32], n_labels: int) -> NDArray[np.float64]:
    if not n_labels:
        return np.empty(0)
    return np.asarray(ndimage.maximum(probabilities, labels, np.arange(1, n_labels + 1)), dtype=float)
