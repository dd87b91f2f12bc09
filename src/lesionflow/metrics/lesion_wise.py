"""The lesion-wise rule of BraTS 2023 (adult glioma), so that figures compare with its leader board's.

Lesions of the reference whose surroundings touch count as one; each is scored with all predicted lesions that touch its
surroundings; a missed or made-up lesion scores 0 and 374 mm; lesions of the reference up to 50 mm3 are left out.

References:
    Saluja et al., "BraTS lesion-wise performance metrics", https://github.com/rachitsaluja/BraTS-2023-Metrics.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.data.geometry import SpacingMm
from lesionflow.metrics.lesion import CONNECTIVITY, lesions
from lesionflow.metrics.pair import MaskPair, Metric
from lesionflow.metrics.surface import measure_surfaces

#: How far the surroundings of a lesion reach, in voxels across faces and edges: the rule is stated in voxels of 1 mm.
SURROUNDINGS_VOXELS = 3
STEP = ndimage.generate_binary_structure(3, 2)
#: Lesions of the reference up to this volume are neither found nor missed.
IGNORED_MM3 = 50.0
#: The distance that a missed or made-up lesion gets: the diagonal of BraTS' image.
PENALTY_MM = 374.0


class LesionWise(NamedTuple):
    """Dice (0..1) and HD95 (mm) by lesion; 1 and 0 when there is nothing to find and nothing was found."""

    dice: float
    hd95_mm: float


def score_lesion_wise(
    reference: NDArray[np.bool_], predicted_labels: NDArray[np.int32], spacing_mm: SpacingMm, *, is_flat: bool = False
) -> LesionWise:
    """Score by BraTS' rule.

    Args:
        reference: Bool (slice, row, column).
        predicted_labels: Predicted lesions numbered from 1, same shape.
        spacing_mm: (slice, row, column) spacing.
        is_flat: A single slice stands for a 2D image.

    Returns:
        Both figures.
    """
    surroundings, _ = ndimage.label(_surroundings(reference), CONNECTIVITY)
    inside = predicted_labels > 0
    touching = np.unique(np.stack([surroundings[inside], predicted_labels[inside]], axis=1), axis=0)
    touching = touching[touching[:, 0] > 0]
    n_predicted = int(predicted_labels.max(initial=0))
    n_made_up = n_predicted - len(np.unique(touching[:, 1]))
    boxes = ndimage.find_objects(predicted_labels)
    lesions = []
    for number, around in enumerate(ndimage.find_objects(surroundings), start=1):
        lesion = reference[around] & (surroundings[around] == number)
        if np.count_nonzero(lesion) * np.prod(spacing_mm) <= IGNORED_MM3:
            continue
        partners = touching[touching[:, 0] == number, 1]
        box = _union([around, *(boxes[partner - 1] for partner in partners)])
        lesion = reference[box] & (surroundings[box] == number)
        lesions.append(_score_one(lesion, np.isin(predicted_labels[box], partners), spacing_mm, is_flat))
    n_scored = len(lesions) + n_made_up
    if not n_scored:
        return LesionWise(1.0, 0.0)
    dice, distances = sum(one.dice for one in lesions), sum(one.hd95_mm for one in lesions)
    return LesionWise(dice / n_scored, (distances + n_made_up * PENALTY_MM) / n_scored)


def lesion_wise(pair: MaskPair) -> LesionWise:
    """Score a pair by BraTS' rule: of 64 mm3 found and 64 mm3 made up far away, Dice (1 + 0) / 2, HD95 (0 + 374) / 2.

    Examples:
        >>> lesion_wise(MaskPair([[[1, 0, 0, 0, 0, 0]]], [[[1, 0, 0, 0, 0, 1]]], (4.0, 4.0, 4.0)))
        LesionWise(dice=0.5, hd95_mm=187.0)
    """
    labels = pair.once(lesions).predicted_labels
    return score_lesion_wise(pair.reference, labels, pair.spacing_mm, is_flat=pair.is_flat)


def brats_lesion_dice(found: LesionWise) -> float:
    """Mean Dice over lesions by BraTS' rule, 0..1.

    Examples:
        >>> brats_lesion_dice(LesionWise(dice=0.5, hd95_mm=187.0))
        0.5
    """
    return found.dice


def brats_lesion_hd95_mm(found: LesionWise) -> float:
    """Mean HD95 over lesions by BraTS' rule, in mm.

    Examples:
        >>> brats_lesion_hd95_mm(LesionWise(dice=0.5, hd95_mm=187.0))
        187.0
    """
    return found.hd95_mm


def _surroundings(reference: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Dilate lesion by lesion, each in its own box: air between them costs nothing."""
    labels, _ = ndimage.label(reference, CONNECTIVITY)
    found = np.zeros_like(reference)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        wide = tuple(
            slice(max(side.start - SURROUNDINGS_VOXELS, 0), min(side.stop + SURROUNDINGS_VOXELS, length))
            for side, length in zip(box, reference.shape, strict=True)
        )
        found[wide] |= ndimage.binary_dilation(labels[wide] == number, STEP, iterations=SURROUNDINGS_VOXELS)
    return found


def _union(boxes: list[tuple[slice, ...]]) -> tuple[slice, ...]:
    sides = zip(*boxes, strict=True)
    return tuple(slice(min(side.start for side in axis), max(side.stop for side in axis)) for axis in sides)


def _score_one(
    lesion: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    spacing_mm: SpacingMm,
    is_flat: bool,  # noqa: FBT001
) -> LesionWise:
    n_predicted = np.count_nonzero(predicted)
    if not n_predicted:
        return LesionWise(0.0, PENALTY_MM)
    dice = 2.0 * np.count_nonzero(lesion & predicted) / (np.count_nonzero(lesion) + n_predicted)
    surfaces = measure_surfaces(lesion, predicted, spacing_mm, is_flat=is_flat)
    return LesionWise(float(dice), surfaces.hausdorff_mm(95.0))


_DICE_EMPTY = "both empty: 1; missed or made-up lesion: 0"
_HD95_EMPTY = "both empty: 0; missed or made-up lesion: 374"
METRICS = (
    Metric("brats_lesion_dice", "", +1, _DICE_EMPTY, lesion_wise, brats_lesion_dice, 0.0, 1.0),
    # A partner may lie further away than the penalty, in an image larger than BraTS'.
    Metric("brats_lesion_hd95_mm", "mm", -1, _HD95_EMPTY, lesion_wise, brats_lesion_hd95_mm, 0.0, math.inf),
)
