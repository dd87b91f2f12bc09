"""Metrics by lesion: connected components found, missed and made up."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

#: Voxels that touch at a face, an edge or a corner belong to one lesion.
CONNECTIVITY = np.ones((3, 3, 3), dtype=bool)


class LesionCounts(NamedTuple):
    """Lesions of the reference, of the prediction, and how many of each touch the other by at least one voxel."""

    n_reference: int
    n_predicted: int
    n_found: int
    n_right: int


def count_lesions(reference: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> LesionCounts:
    """Count lesions and matches.

    Args:
        reference: Bool (slice, row, column).
        predicted: Bool, same shape.

    Returns:
        The counts.
    """
    ours, n_ours = ndimage.label(reference, CONNECTIVITY)
    theirs, n_theirs = ndimage.label(predicted, CONNECTIVITY)
    both = reference & predicted
    return LesionCounts(int(n_ours), int(n_theirs), len(np.unique(ours[both])), len(np.unique(theirs[both])))


def lesion_recall(counts: LesionCounts) -> float:
    """Share of the reference's lesions that were found, 0..1; NaN when there are none."""
    return counts.n_found / counts.n_reference if counts.n_reference else float("nan")


def lesion_precision(counts: LesionCounts) -> float:
    """Share of the predicted lesions that are real, 0..1; NaN when none was predicted."""
    return counts.n_right / counts.n_predicted if counts.n_predicted else float("nan")
