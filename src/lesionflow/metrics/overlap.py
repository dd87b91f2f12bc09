"""Overlap of two binary masks, from the four counts of their confusion matrix."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.metrics.pair import MaskPair, Metric


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

    Examples:
        >>> count(np.array([True, True, False, False, False]), np.array([False, True, True, False, False]))
        Counts(tp=1, fp=1, fn=1, tn=2)
    """
    tp = int(np.count_nonzero(reference & predicted))
    n_reference, n_predicted = int(np.count_nonzero(reference)), int(np.count_nonzero(predicted))
    fp, fn = n_predicted - tp, n_reference - tp
    return Counts(tp, fp, fn, int(reference.size) - tp - fp - fn)


def counts(pair: MaskPair) -> Counts:
    """Count the voxels of a pair's whole image.

    Examples:
        >>> counts(MaskPair([[[1, 1, 0, 0, 0]]], [[[0, 1, 1, 0, 0]]], (1.0, 1.0, 1.0)))
        Counts(tp=1, fp=1, fn=1, tn=2)
    """
    near = count(pair.reference, pair.predicted)
    return near._replace(tn=near.tn + pair.n_outside)


def dice(voxels: Counts) -> float:
    """2 TP / (2 TP + FP + FN), 0..1; 1 when both are empty. Dice 1945, DOI 10.2307/1932409.

    Examples:
        >>> dice(Counts(tp=2, fp=1, fn=3, tn=4))  # 4 / 8
        0.5
    """
    return _share(2 * voxels.tp, 2 * voxels.tp + voxels.fp + voxels.fn, 1.0)


def iou(voxels: Counts) -> float:
    """TP / (TP + FP + FN), 0..1; 1 when both are empty. Jaccard 1912, DOI 10.1111/j.1469-8137.1912.tb05611.x.

    Examples:
        >>> iou(Counts(tp=3, fp=1, fn=2, tn=4))  # 3 / 6
        0.5
    """
    return _share(voxels.tp, voxels.tp + voxels.fp + voxels.fn, 1.0)


def precision(voxels: Counts) -> float:
    """TP / (TP + FP), 0..1; with nothing predicted, 1 when nothing was to be found, else 0.

    Examples:
        >>> precision(Counts(tp=3, fp=1, fn=2, tn=4)), precision(Counts(tp=0, fp=0, fn=2, tn=4))
        (0.75, 0.0)
    """
    return _share(voxels.tp, voxels.tp + voxels.fp, 0.0 if voxels.fn else 1.0)


def recall(voxels: Counts) -> float:
    """TP / (TP + FN), 0..1; with nothing to find, 1 when nothing was predicted, else 0.

    Examples:
        >>> recall(Counts(tp=3, fp=1, fn=2, tn=4)), recall(Counts(tp=0, fp=1, fn=0, tn=4))
        (0.6, 0.0)
    """
    return _share(voxels.tp, voxels.tp + voxels.fn, 0.0 if voxels.fp else 1.0)


def specificity(voxels: Counts) -> float:
    """TN / (TN + FP), 0..1; 1 when the reference leaves no background.

    Examples:
        >>> specificity(Counts(tp=3, fp=1, fn=2, tn=4))  # 4 / 5
        0.8
    """
    return _share(voxels.tn, voxels.tn + voxels.fp, 1.0)


def accuracy(voxels: Counts) -> float:
    """(TP + TN) / all, 0..1. Near 1 for any small tumor: read it beside Dice.

    Examples:
        >>> accuracy(Counts(tp=3, fp=1, fn=2, tn=4))  # 7 / 10
        0.7
    """
    return _share(voxels.tp + voxels.tn, sum(voxels), 1.0)


def _share(part: int, whole: int, empty: float) -> float:
    return part / whole if whole else empty


_EMPTY = "both empty: 1; one empty: 0"
METRICS = (
    Metric("dice", "", +1, _EMPTY, counts, dice, 0.0, 1.0),
    Metric("iou", "", +1, _EMPTY, counts, iou, 0.0, 1.0),
    Metric("precision", "", +1, _EMPTY, counts, precision, 0.0, 1.0),
    Metric("recall", "", +1, _EMPTY, counts, recall, 0.0, 1.0),
    Metric("specificity", "", +1, "reference fills the image: 1", counts, specificity, 0.0, 1.0),
    Metric("accuracy", "", +1, "share of all voxels; needs no rule", counts, accuracy, 0.0, 1.0),
)
