"""Metrics by lesion: how many are found, missed and made up, and how well each is outlined.

A share of no lesions is 0 where the other mask has one that touches nothing: a model that misses a tumor, or makes one up, must
not drop out of the mean for it. It is undefined where neither mask has anything to judge.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from lesionflow.metrics.lesion import SIZE_CLASSES_ML, Lesion, LesionMatch, lesions, size_class
from lesionflow.metrics.pair import Metric

#: Two lesions are one and the same, for panoptic quality, when they share more than this much of their union.
SAME_LESION_IOU = 0.5


def lesion_recall(found: LesionMatch, size: str | None = None) -> float:
    """Share of the reference's lesions that a predicted voxel touches, 0..1; without any, 0 when one was made up, else NaN.

    Examples:
        >>> from lesionflow.metrics.pair import MaskPair
        >>> lesion_recall(lesions(MaskPair([[[1, 0, 1, 0, 1]]], [[[1, 0, 0, 0, 1]]], (1.0, 1.0, 1.0))))  # 2 of 3
        0.6666666666666666

    Args:
        found: The lesions.
        size: Only those of a class of `SIZE_CLASSES_ML`.
    """
    return _matched_share(found.reference, found.predicted, size)


def lesion_precision(found: LesionMatch, size: str | None = None) -> float:
    """Share of the predicted lesions that touch the reference, 0..1; without any, 0 when one was missed, else NaN.

    Examples:
        >>> from lesionflow.metrics.pair import MaskPair
        >>> lesion_precision(lesions(MaskPair([[[1, 0, 0, 0, 0, 0, 0]]], [[[1, 0, 1, 0, 1, 0, 1]]], (1.0, 1.0, 1.0))))  # 1 of 4
        0.25

    Args:
        found: The lesions.
        size: Only those of a class of `SIZE_CLASSES_ML`.
    """
    return _matched_share(found.predicted, found.reference, size)


def lesion_f1(found: LesionMatch) -> float:
    """Harmonic mean of lesion recall and precision, 0..1; NaN where neither mask has a lesion, 0 where one has none.

    Examples:
        >>> from lesionflow.metrics.pair import MaskPair
        >>> lesion_f1(lesions(MaskPair([[[1, 1, 1, 0, 1]]], [[[1, 0, 1, 0, 0]]], (1.0, 1.0, 1.0))))  # recall 1/2, precision 2/2
        0.6666666666666666
    """
    if not found.reference and not found.predicted:
        return math.nan
    recall, precision = lesion_recall(found), lesion_precision(found)
    return 2.0 * recall * precision / (recall + precision) if recall + precision else 0.0


def lesion_dice(found: LesionMatch) -> float:
    """Mean over the reference's lesions of the Dice with all predicted ones that touch it, 0..1; without any, 0 when one was made up, else NaN.

    Examples:
        >>> from lesionflow.metrics.pair import MaskPair
        >>> lesion_dice(lesions(MaskPair([[[1, 1, 1, 0, 1]]], [[[1, 0, 0, 0, 0]]], (1.0, 1.0, 1.0))))  # (2 / 4 + 0) / 2
        0.25
    """
    if not found.reference:
        return 0.0 if found.predicted else math.nan
    return float(np.mean([lesion.dice for lesion in found.reference]))


def n_false_positive_lesions(found: LesionMatch) -> float:
    """Number of predicted lesions that touch no lesion of the reference.

    Examples:
        >>> from lesionflow.metrics.pair import MaskPair
        >>> n_false_positive_lesions(lesions(MaskPair([[[1, 0, 0, 0, 0]]], [[[1, 0, 1, 0, 1]]], (1.0, 1.0, 1.0))))
        2.0
    """
    return float(sum(not lesion.matched for lesion in found.predicted))


def panoptic_quality(found: LesionMatch) -> float:
    """Sum of IoU of lesions matched one to one / (TP + FP/2 + FN/2), 0..1; DOI 10.1109/CVPR.2019.00963.

    Examples:
        >>> from lesionflow.metrics.pair import MaskPair
        >>> panoptic_quality(lesions(MaskPair([[[1, 1, 1, 1, 0, 1]]], [[[1, 1, 1, 0, 0, 0]]], (1.0, 1.0, 1.0))))  # 3/4 / 3/2
        0.5

    Returns:
        1 when there is no lesion in either mask, 0 when only one has any.
    """
    n_all = len(found.reference_sizes) + len(found.predicted_sizes)
    if not n_all:
        return 1.0
    union = found.reference_sizes[found.pairs[:, 0]] + found.predicted_sizes[found.pairs[:, 1]] - found.shared
    iou = found.shared / union
    # Above one half no lesion can have two partners, so that n_all / 2 is TP + FP/2 + FN/2.
    return float(iou[iou > SAME_LESION_IOU].sum() / (n_all / 2))


def _matched_share(found: Sequence[Lesion], others: Sequence[Lesion], size: str | None) -> float:
    chosen, opposite = (
        [lesion for lesion in side if size is None or size_class(lesion.volume_ml) == size] for side in (found, others)
    )
    if not chosen:
        return math.nan if all(lesion.matched for lesion in opposite) else 0.0
    return sum(lesion.matched for lesion in chosen) / len(chosen)


def _shares(name: str, empty: str, share: Callable[..., float]) -> tuple[Metric, ...]:
    """Return a share of all lesions and of those of each size."""
    sizes = {name: share} | {f"{name}_{size}": partial(share, size=size) for size in SIZE_CLASSES_ML}
    return tuple(Metric(key, "", +1, empty, lesions, figure, 0.0, 1.0) for key, figure in sizes.items())


_NONE_IN_REFERENCE = "no lesion (of that size) in the reference: 0 when one was made up, else undefined (NaN)"
_NONE_PREDICTED = "no lesion (of that size) predicted: 0 when one was missed, else undefined (NaN)"
_F1_EMPTY = "no lesion in either: undefined (NaN); in one: 0"
_DICE_EMPTY = "both empty: undefined (NaN); one empty: 0; a missed lesion: 0"
_QUALITY_EMPTY = "both empty: 1; one empty: 0"
METRICS = (
    *_shares("lesion_recall", _NONE_IN_REFERENCE, lesion_recall),
    *_shares("lesion_precision", _NONE_PREDICTED, lesion_precision),
    Metric("lesion_f1", "", +1, _F1_EMPTY, lesions, lesion_f1, 0.0, 1.0),
    Metric("lesion_dice", "", +1, _DICE_EMPTY, lesions, lesion_dice, 0.0, 1.0),
    Metric(
        "n_false_positive_lesions",
        "lesions",
        -1,
        "nothing predicted: 0",
        lesions,
        n_false_positive_lesions,
        0.0,
        math.inf,
    ),
    Metric("panoptic_quality", "", +1, _QUALITY_EMPTY, lesions, panoptic_quality, 0.0, 1.0),
)
