"""Figures that compare a predicted with a reference mask; means and intervals over cases belong to `evaluation`.

Each has a unit, a direction and a rule for empty masks.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import SpacingMm
from lesionflow.metrics import overlap
from lesionflow.metrics.boxes import bounding_box
from lesionflow.metrics.brats import score_lesion_wise
from lesionflow.metrics.lesion import SIZE_CLASSES_ML, Lesion, lesion_scores, match_lesions
from lesionflow.metrics.surface import measure_surfaces

#: Tolerances of the surface Dice (NSD) in mm; 2 mm is about the distance between two radiologists' outlines.
SURFACE_TOLERANCES_MM = (1, 2, 5)


class Metric(NamedTuple):
    """A metric: its unit, whether more is better (+1), worse (-1) or neither (0), and what an empty mask gives."""

    name: str
    unit: str
    direction: int
    empty: str


class MaskScores(NamedTuple):
    """Figures of a pair of masks (every metric of `METRICS`, every count of `COUNTS`) and its lesions."""

    figures: dict[str, float]
    lesions: tuple[Lesion, ...]


_OVERLAP_EMPTY = "both empty: 1; one empty: 0"
_NONE_IN_REFERENCE = "no lesion (of that size) in the reference: undefined (NaN)"
_NONE_PREDICTED = "no lesion (of that size) predicted: undefined (NaN)"
_SURFACE_EMPTY = "either empty: undefined (NaN), counted and never averaged"

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("dice", "", +1, _OVERLAP_EMPTY),
        Metric("iou", "", +1, _OVERLAP_EMPTY),
        Metric("precision", "", +1, _OVERLAP_EMPTY),
        Metric("recall", "", +1, _OVERLAP_EMPTY),
        Metric("specificity", "", +1, "reference fills the image: 1"),
        Metric("accuracy", "", +1, "share of all voxels; needs no rule"),
        Metric("volume_error_ml", "ml", 0, "predicted minus reference; an empty mask has 0 ml"),
        Metric("absolute_volume_error_ml", "ml", -1, "an empty mask has 0 ml"),
        Metric("relative_volume_error", "", 0, "empty reference: undefined (NaN)"),
        Metric("hd_mm", "mm", -1, _SURFACE_EMPTY),
        Metric("hd95_mm", "mm", -1, _SURFACE_EMPTY),
        Metric("assd_mm", "mm", -1, _SURFACE_EMPTY),
        *(Metric(f"surface_dice_{mm}mm", "", +1, _SURFACE_EMPTY) for mm in SURFACE_TOLERANCES_MM),
        Metric("lesion_recall", "", +1, _NONE_IN_REFERENCE),
        *(Metric(f"lesion_recall_{size}", "", +1, _NONE_IN_REFERENCE) for size in SIZE_CLASSES_ML),
        Metric("lesion_precision", "", +1, _NONE_PREDICTED),
        *(Metric(f"lesion_precision_{size}", "", +1, _NONE_PREDICTED) for size in SIZE_CLASSES_ML),
        Metric("lesion_f1", "", +1, "no lesion in either: undefined (NaN); in one: 0"),
        Metric("lesion_dice", "", +1, f"a missed lesion: 0; {_NONE_IN_REFERENCE}"),
        Metric("n_false_positive_lesions", "lesions", -1, "nothing predicted: 0"),
        Metric("panoptic_quality", "", +1, _OVERLAP_EMPTY),
        Metric("brats_lesion_dice", "", +1, "both empty: 1; missed or made-up lesion: 0"),
        Metric("brats_lesion_hd95_mm", "mm", -1, "both empty: 0; missed or made-up lesion: 374"),
    )
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

#: What `score_pair` gives beside the metrics: the counts from which a confusion matrix is summed, and volumes.
COUNTS = ("tp", "fp", "fn", "tn", "n_reference_lesions", "n_predicted_lesions", "reference_ml", "predicted_ml")


def score_pair(reference: NDArray[np.bool_], predicted: NDArray[np.bool_], spacing_mm: SpacingMm) -> dict[str, float]:
    """Score one predicted mask against its reference; see `score_masks`.

    Returns:
        Every metric of `METRICS` and every count of `COUNTS`; NaN where the metric is undefined.

    Raises:
        ValueError: When the shapes differ.
    """
    return score_masks(reference, predicted, spacing_mm).figures


def score_masks(reference: NDArray[np.bool_], predicted: NDArray[np.bool_], spacing_mm: SpacingMm) -> MaskScores:
    """Score one predicted mask against its reference, as a whole and by lesion.

    Args:
        reference: Bool (slice, row, column).
        predicted: Bool, same shape, same grid.
        spacing_mm: (slice, row, column) spacing.

    Returns:
        The figures, NaN where undefined, and the lesions of both masks.

    Raises:
        ValueError: When the shapes differ.
    """
    if reference.shape != predicted.shape:
        raise ValueError(f"Expected two masks of one shape, found {reference.shape} and {predicted.shape}.")
    # All that follows looks only at the box around both masks: air around them costs nothing.
    box = bounding_box(reference, predicted) or (slice(0, 1),) * reference.ndim
    near_reference, near_predicted = reference[box], predicted[box]
    near = overlap.count(near_reference, near_predicted)
    counts = near._replace(tn=near.tn + reference.size - near_reference.size)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    lesions = match_lesions(near_reference, near_predicted, voxel_ml)
    is_flat = reference.shape[0] == 1
    lesion_wise = score_lesion_wise(near_reference, lesions.predicted_labels, spacing_mm, is_flat=is_flat)
    figures = {
        **_overlap_figures(counts),
        **_volume_figures(counts, voxel_ml),
        **_surface_figures(near_reference, near_predicted, spacing_mm, is_flat),
        **lesion_scores(lesions),
        "brats_lesion_dice": lesion_wise.dice,
        "brats_lesion_hd95_mm": lesion_wise.hd95_mm,
    }
    return MaskScores(figures, lesions.lesions())


def _overlap_figures(counts: overlap.Counts) -> dict[str, float]:
    names = ("dice", "iou", "precision", "recall", "specificity", "accuracy")
    return {
        **{name: getattr(overlap, name)(counts) for name in names},
        **{name: float(value) for name, value in counts._asdict().items()},
    }


def _volume_figures(counts: overlap.Counts, voxel_ml: float) -> dict[str, float]:
    reference_ml, predicted_ml = (counts.tp + counts.fn) * voxel_ml, (counts.tp + counts.fp) * voxel_ml
    error_ml = predicted_ml - reference_ml
    return {
        "reference_ml": reference_ml,
        "predicted_ml": predicted_ml,
        "volume_error_ml": error_ml,
        "absolute_volume_error_ml": abs(error_ml),
        "relative_volume_error": error_ml / reference_ml if reference_ml else float("nan"),
    }


def _surface_figures(
    reference: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    spacing_mm: SpacingMm,
    is_flat: bool,  # noqa: FBT001
) -> dict[str, float]:
    surfaces = measure_surfaces(reference, predicted, spacing_mm, is_flat=is_flat)
    return {
        "hd_mm": surfaces.hausdorff_mm(),
        "hd95_mm": surfaces.hausdorff_mm(95.0),
        "assd_mm": surfaces.assd_mm(),
        **{f"surface_dice_{mm}mm": surfaces.surface_dice(mm) for mm in SURFACE_TOLERANCES_MM},
    }
