"""Figures that compare a predicted with a reference mask; means and intervals over cases belong to `evaluation`.

Each has a unit, a direction, bounds and a rule for empty masks.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import SpacingMm
from lesionflow.metrics.lesion import Lesion, lesions
from lesionflow.metrics.overlap import counts
from lesionflow.metrics.pair import MaskPair, Metric
from lesionflow.metrics.volume import volumes

#: The modules whose metrics come first, as the files on disk have them; those of others follow, by the module's name.
FIRST = ("overlap", "volume", "surface", "lesion_scores", "lesion_wise")


class MaskScores(NamedTuple):
    """Figures of a pair of masks (every metric of `METRICS`, every count of `COUNTS`) and its lesions."""

    figures: dict[str, float]
    lesions: tuple[Lesion, ...]


def _declared() -> Iterator[Metric]:
    """Yield what the modules of this package declare as `METRICS`."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__))
    for name in (*FIRST, *(name for name in found if name not in FIRST)):
        yield from getattr(import_module(f"{__name__}.{name}"), "METRICS", ())


#: Every metric that a module of this package declares. A new one needs its entry there, and its row in the value test.
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _declared()}

#: The metrics that have a direction, by which alone somebody can be better, each with its least and greatest value.
ORDERED_METRICS: Mapping[str, tuple[float, float]] = {
    metric.name: (metric.lower, metric.upper) for metric in METRICS.values() if metric.direction
}

#: What a reviewer asks first, and what two models are compared by: few, so that a correction for their number stays mild.
HEADLINE = (
    "dice",
    "surface_dice_2mm",
    "hd95_mm",
    "absolute_volume_error_ml",
    "lesion_recall",
    "lesion_precision",
    "n_false_positive_lesions",
    "panoptic_quality",
)

#: What `score_pair` gives beside the metrics: the counts from which a confusion matrix is summed, volumes, and the image's
#: diagonal, which stands for the distance to a mask that is empty where models are compared.
COUNTS = (
    "tp", "fp", "fn", "tn", "n_reference_lesions", "n_predicted_lesions", "reference_ml", "predicted_ml",
    "image_diagonal_mm",
)  # fmt: skip

#: The order of figures in `cases.csv`, so that files of all versions have the same columns first; what is not named follows.
COLUMNS = (
    "dice", "iou", "precision", "recall", "specificity", "accuracy", "tp", "fp", "fn", "tn", "reference_ml",
    "predicted_ml", "volume_error_ml", "absolute_volume_error_ml", "relative_volume_error", "hd_mm", "hd95_mm",
    "assd_mm", "surface_dice_1mm", "surface_dice_2mm", "surface_dice_5mm", "lesion_recall", "lesion_precision",
    "lesion_f1", "lesion_dice", "n_false_positive_lesions", "panoptic_quality", "n_reference_lesions",
    "n_predicted_lesions", "lesion_recall_small", "lesion_precision_small", "lesion_recall_medium",
    "lesion_precision_medium", "lesion_recall_large", "lesion_precision_large", "brats_lesion_dice",
    "brats_lesion_hd95_mm", "image_diagonal_mm",
)  # fmt: skip


def score_pair(reference: NDArray[np.bool_], predicted: NDArray[np.bool_], spacing_mm: SpacingMm) -> dict[str, float]:
    """Score one predicted mask against its reference; see `score_masks`.

    Returns:
        Every metric of `METRICS` and every count of `COUNTS`; NaN and infinity as `Metric` says.

    Raises:
        ValueError: When the shapes differ.
    """
    return score_masks(reference, predicted, spacing_mm).figures


def score_masks(
    reference: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    spacing_mm: SpacingMm,
    *,
    ignored: NDArray[np.bool_] | None = None,
) -> MaskScores:
    """Score one predicted mask against its reference, as a whole and by lesion.

    Args:
        reference: Bool (slice, row, column).
        predicted: Bool, same shape, same grid.
        spacing_mm: (slice, row, column) spacing.
        ignored: Bool, same shape: voxels that count for nothing, as if they were in neither mask and not in the image.

    Returns:
        The figures, as `score_pair` gives them, and the lesions of both masks, the reference's first.

    Raises:
        ValueError: When the shapes differ.

    Examples:
        >>> scores = score_masks(np.ones((1, 2, 2), bool), np.ones((1, 2, 2), bool), (10.0, 10.0, 10.0))
        >>> scores.figures["dice"], scores.figures["reference_ml"], len(scores.lesions)
        (1.0, 4.0, 2)
    """
    pair = MaskPair(reference, predicted, spacing_mm, ignored=ignored)
    figures = {name: metric.of(pair) for name, metric in METRICS.items()} | _counts(pair)
    found = pair.once(lesions)
    ordered = {name: figures.pop(name) for name in COLUMNS}
    return MaskScores(ordered | figures, (*found.reference, *found.predicted))


def _counts(pair: MaskPair) -> dict[str, float]:
    found = pair.once(lesions)
    return {
        **{name: float(n) for name, n in pair.once(counts)._asdict().items()},
        **pair.once(volumes)._asdict(),
        "n_reference_lesions": float(len(found.reference)),
        "n_predicted_lesions": float(len(found.predicted)),
        "image_diagonal_mm": pair.image_diagonal_mm,
    }
