"""Metrics by lesion: connected components found, missed and made up, and how well each was outlined."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

#: Voxels that touch at a face, an edge or a corner belong to one lesion.
CONNECTIVITY = np.ones((3, 3, 3), dtype=bool)
#: Size classes of lesions: from (inclusive) and to (exclusive), in ml. 1 ml is a ball of 12 mm, 10 ml one of 27 mm.
SIZE_CLASSES_ML: Mapping[str, tuple[float, float]] = {
    "small": (0.0, 1.0),
    "medium": (1.0, 10.0),
    "large": (10.0, float("inf")),
}
#: Two lesions are one and the same, for panoptic quality, when they share more than this much of their union.
SAME_LESION_IOU = 0.5


class Lesion(NamedTuple):
    """One lesion: `matched` when it touches one of the other mask by a voxel; Dice is with all of those together."""

    kind: str
    volume_ml: float
    matched: bool
    dice: float


@dataclass(frozen=True, eq=False)
class LesionMatch:
    """The lesions of two masks and what they share.

    Args:
        reference_labels: int (slice, row, column), 0 outside of lesions.
        predicted_labels: Same shape.
        reference_sizes: (n,) voxels of each lesion of the reference.
        predicted_sizes: (m,) voxels of each predicted lesion.
        pairs: (k, 2) indices of lesions that touch: of the reference, predicted.
        shared: (k,) voxels that each pair shares.
        voxel_ml: Volume of a voxel.
    """

    reference_labels: NDArray[np.int32]
    predicted_labels: NDArray[np.int32]
    reference_sizes: NDArray[np.int64]
    predicted_sizes: NDArray[np.int64]
    pairs: NDArray[np.int64]
    shared: NDArray[np.int64]
    voxel_ml: float

    def lesions(self) -> tuple[Lesion, ...]:
        """Every lesion, the reference's first."""
        swapped = self.pairs[:, ::-1]
        return (
            *self._side("reference", self.reference_sizes, self.predicted_sizes, self.pairs),
            *self._side("predicted", self.predicted_sizes, self.reference_sizes, swapped),
        )

    def panoptic_quality(self) -> float:
        """Sum of IoU of lesions matched one to one / (TP + FP/2 + FN/2), 0..1; DOI 10.1109/CVPR.2019.00963.

        Returns:
            1 when there is no lesion in either mask, 0 when only one has any.
        """
        n_all = len(self.reference_sizes) + len(self.predicted_sizes)
        if not n_all:
            return 1.0
        union = self.reference_sizes[self.pairs[:, 0]] + self.predicted_sizes[self.pairs[:, 1]] - self.shared
        iou = self.shared / union
        # Above one half no lesion can have two partners, so that n_all / 2 is TP + FP/2 + FN/2.
        return float(iou[iou > SAME_LESION_IOU].sum() / (n_all / 2))

    def _side(
        self, kind: str, sizes: NDArray[np.int64], others: NDArray[np.int64], pairs: NDArray[np.int64]
    ) -> list[Lesion]:
        shared, touching = np.zeros(len(sizes)), np.zeros(len(sizes))
        np.add.at(shared, pairs[:, 0], self.shared)
        np.add.at(touching, pairs[:, 0], others[pairs[:, 1]])
        dice = 2.0 * shared / (sizes + touching)
        volumes = sizes * self.voxel_ml
        return [Lesion(kind, float(v), bool(s > 0), float(d)) for v, s, d in zip(volumes, shared, dice, strict=True)]


def match_lesions(reference: NDArray[np.bool_], predicted: NDArray[np.bool_], voxel_ml: float) -> LesionMatch:
    """Find the lesions of both masks and which touch.

    Args:
        reference: Bool (slice, row, column).
        predicted: Bool, same shape.
        voxel_ml: Volume of a voxel.

    Returns:
        The lesions and their pairs.
    """
    ours, _ = ndimage.label(reference, CONNECTIVITY)
    theirs, _ = ndimage.label(predicted, CONNECTIVITY)
    both = reference & predicted
    met = np.stack([ours[both], theirs[both]], axis=1).astype(np.int64) - 1
    pairs, shared = np.unique(met, axis=0, return_counts=True)
    return LesionMatch(
        ours,
        theirs,
        np.bincount(ours[reference])[1:],
        np.bincount(theirs[predicted])[1:],
        pairs,
        shared.astype(np.int64),
        voxel_ml,
    )


def lesion_scores(match: LesionMatch) -> dict[str, float]:
    """Return the metrics of one case, and the numbers of lesions in each mask.

    Returns:
        `lesion_recall` and `lesion_precision`, over all and by size class; `lesion_f1`, `lesion_dice`,
        `n_false_positive_lesions`, `panoptic_quality`; `n_reference_lesions`, `n_predicted_lesions`. NaN as `METRICS`
        says.
    """
    found = match.lesions()
    real = [lesion for lesion in found if lesion.kind == "reference"]
    predicted = [lesion for lesion in found if lesion.kind == "predicted"]
    n_false = sum(not lesion.matched for lesion in predicted)
    recall, precision = _matched_share(real), _matched_share(predicted)
    n_all = len(real) + len(predicted)
    scores = {
        "lesion_recall": recall,
        "lesion_precision": precision,
        "lesion_f1": _f1(recall, precision) if n_all else float("nan"),
        "lesion_dice": float(np.mean([lesion.dice for lesion in real])) if real else float("nan"),
        "n_false_positive_lesions": float(n_false),
        "panoptic_quality": match.panoptic_quality(),
        "n_reference_lesions": float(len(real)),
        "n_predicted_lesions": float(len(predicted)),
    }
    for name in SIZE_CLASSES_ML:
        scores[f"lesion_recall_{name}"] = _matched_share(_of_size(real, name))
        scores[f"lesion_precision_{name}"] = _matched_share(_of_size(predicted, name))
    return scores


def size_class(volume_ml: float) -> str:
    """Return the class of `SIZE_CLASSES_ML` that a volume belongs to."""
    return next(name for name, (low, high) in SIZE_CLASSES_ML.items() if low <= volume_ml < high)


def _of_size(lesions: list[Lesion], name: str) -> list[Lesion]:
    return [lesion for lesion in lesions if size_class(lesion.volume_ml) == name]


def _matched_share(lesions: list[Lesion]) -> float:
    return sum(lesion.matched for lesion in lesions) / len(lesions) if lesions else float("nan")


def _f1(recall: float, precision: float) -> float:
    """The harmonic mean; 0 where one mask has no lesion at all."""
    if np.isnan(recall) or np.isnan(precision) or recall + precision == 0:
        return 0.0
    return 2.0 * recall * precision / (recall + precision)
