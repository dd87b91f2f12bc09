"""Overlap of two binary masks, from the four counts of their confusion matrix."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Counts(NamedTuple):
    """Voxels by reference and prediction."""

    tp: int
    fp: int
    fn: int
    tn: int


def count(reference: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> Counts:
    """Count the voxels of each kind.

    Args:
        reference: Bool array.
        predicted: Bool array of the same shape.

    Returns:
        True positives, false positives, false negatives, true negatives.
    """
    tp = int(np.count_nonzero(reference & predicted))
    n_reference, n_predicted = int(np.count_nonzero(reference)), int(np.count_nonzero(predicted))
    fp, fn = n_predicted - tp, n_reference - tp
    return Counts(tp, fp, fn, int(reference.size) - tp - fp - fn)


def dice(counts: Counts) -> float:
    """2 TP / (2 TP + FP + FN), 0..1; 1 when both are empty. Dice 1945, DOI 10.2307/1932409."""
    return _share(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn, 1.0)


def iou(counts: Counts) -> float:
    """TP / (TP + FP + FN), 0..1; 1 when both are empty. Jaccard 1912, DOI 10.1111/j.1469-8137.1912.tb05611.x."""
    return _share(counts.tp, counts.tp + counts.fp + counts.fn, 1.0)


def precision(counts: Counts) -> float:
    """TP / (TP + FP), 0..1; with nothing predicted, 1 when nothing was to be found, else 0."""
    return _share(counts.tp, counts.tp + counts.fp, 0.0 if counts.fn else 1.0)


def recall(counts: Counts) -> float:
    """TP / (TP + FN), 0..1; with nothing to find, 1 when nothing was predicted, else 0."""
    return _share(counts.tp, counts.tp + counts.fn, 0.0 if counts.fp else 1.0)


def specificity(counts: Counts) -> float:
    """TN / (TN + FP), 0..1; 1 when the reference leaves no background."""
    return _share(counts.tn, counts.tn + counts.fp, 1.0)


def accuracy(counts: Counts) -> float:
    """(TP + TN) / all, 0..1. Near 1 for any small tumor: read it beside Dice."""
    return _share(counts.tp + counts.tn, sum(counts), 1.0)


def _share(part: int, whole: int, empty: float) -> float:
    return part / whole if whole else empty
