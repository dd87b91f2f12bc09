"""Figures that compare a predicted with a reference mask. Each has a unit, a direction and a rule for empty masks."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import SpacingMm
from lesionflow.metrics import lesion, overlap
from lesionflow.metrics.surface import measure_surfaces

#: Tolerance of the surface Dice, in mm: about the distance between two radiologists' outlines.
SURFACE_TOLERANCE_MM = 2.0


class Metric(NamedTuple):
    """A metric: its unit, whether more is better (+1), worse (-1) or neither (0), and what an empty mask gives."""

    name: str
    unit: str
    direction: int
    empty: str


_OVERLAP_EMPTY = "both empty: 1; one empty: 0"
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
        Metric("surface_dice_2mm", "", +1, _SURFACE_EMPTY),
        Metric("lesion_recall", "", +1, "no lesion in the reference: undefined (NaN)"),
        Metric("lesion_precision", "", +1, "no lesion predicted: undefined (NaN)"),
        Metric("n_false_positive_lesions", "", -1, "nothing predicted: 0"),
    )
}

#: What `score_pair` gives beside the metrics: the counts from which a confusion matrix is summed, and volumes.
COUNTS = ("tp", "fp", "fn", "tn", "n_reference_lesions", "n_predicted_lesions", "reference_ml", "predicted_ml")


def score_pair(reference: NDArray[np.bool_], predicted: NDArray[np.bool_], spacing_mm: SpacingMm) -> dict[str, float]:
    """Score one predicted mask against its reference.

    Args:
        reference: Bool (slice, row, column).
        predicted: Bool, same shape, same grid.
        spacing_mm: (slice, row, column) spacing.

    Returns:
        Every metric of `METRICS` and every count of `COUNTS`; NaN where the metric is undefined.

    Raises:
        ValueError: When the shapes differ.
    """
    if reference.shape != predicted.shape:
        raise ValueError(f"Expected two masks of one shape, found {reference.shape} and {predicted.shape}.")
    # All that follows looks only at the box around both masks: air around them costs nothing.
    box = _union_box(reference, predicted)
    near_reference, near_predicted = reference[box], predicted[box]
    near = overlap.count(near_reference, near_predicted)
    counts = near._replace(tn=near.tn + reference.size - near_reference.size)
    surfaces = measure_surfaces(near_reference, near_predicted, spacing_mm)
    lesions = lesion.count_lesions(near_reference, near_predicted)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    reference_ml, predicted_ml = (counts.tp + counts.fn) * voxel_ml, (counts.tp + counts.fp) * voxel_ml
    error_ml = predicted_ml - reference_ml
    return {
        **{
            name: getattr(overlap, name)(counts)
            for name in ("dice", "iou", "precision", "recall", "specificity", "accuracy")
        },
        "volume_error_ml": error_ml,
        "absolute_volume_error_ml": abs(error_ml),
        "relative_volume_error": error_ml / reference_ml if reference_ml else float("nan"),
        "hd_mm": surfaces.hausdorff_mm(),
        "hd95_mm": surfaces.hausdorff_mm(95.0),
        "assd_mm": surfaces.assd_mm(),
        "surface_dice_2mm": surfaces.surface_dice(SURFACE_TOLERANCE_MM),
        "lesion_recall": lesion.lesion_recall(lesions),
        "lesion_precision": lesion.lesion_precision(lesions),
        "n_false_positive_lesions": float(lesions.n_predicted - lesions.n_right),
        **{name: float(value) for name, value in counts._asdict().items()},
        "n_reference_lesions": float(lesions.n_reference),
        "n_predicted_lesions": float(lesions.n_predicted),
        "reference_ml": reference_ml,
        "predicted_ml": predicted_ml,
    }


def _union_box(reference: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> tuple[slice, ...]:
    """Return the box around both masks; one voxel when both are empty. Each axis looks only at what the last one left."""
    box = [slice(0, n) for n in reference.shape]
    for axis in range(reference.ndim):
        others = tuple(i for i in range(reference.ndim) if i != axis)
        present = reference[tuple(box)].any(axis=others) | predicted[tuple(box)].any(axis=others)
        places = np.flatnonzero(present)
        if not places.size:
            return tuple(slice(0, 1) for _ in reference.shape)
        box[axis] = slice(int(places[0]), int(places[-1]) + 1)
    return tuple(box)
