"""Lesions of two masks, connected components: which are found, missed and made up, and how well each was outlined."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.metrics.pair import MaskPair

#: Voxels that touch at a face, an edge or a corner belong to one lesion.
CONNECTIVITY = np.ones((3, 3, 3), dtype=bool)
#: Size classes of lesions: from (inclusive) and to (exclusive), in ml. 1 ml is a ball of 12 mm, 10 ml one of 27 mm.
SIZE_CLASSES_ML: Mapping[str, tuple[float, float]] = {
    "small": (0.0, 1.0),
    "medium": (1.0, 10.0),
    "large": (10.0, float("inf")),
}


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

    @cached_property
    def reference(self) -> tuple[Lesion, ...]:
        """Every lesion of the reference."""
        return self._side("reference", self.reference_sizes, self.predicted_sizes, self.pairs)

    @cached_property
    def predicted(self) -> tuple[Lesion, ...]:
        """Every predicted lesion."""
        return self._side("predicted", self.predicted_sizes, self.reference_sizes, self.pairs[:, ::-1])

    def _side(
        self, kind: str, sizes: NDArray[np.int64], others: NDArray[np.int64], pairs: NDArray[np.int64]
    ) -> tuple[Lesion, ...]:
        shared, touching = np.zeros(len(sizes)), np.zeros(len(sizes))
        np.add.at(shared, pairs[:, 0], self.shared)
        np.add.at(touching, pairs[:, 0], others[pairs[:, 1]])
        dice = 2.0 * shared / (sizes + touching)
        volumes = sizes * self.voxel_ml
        found = zip(volumes, shared, dice, strict=True)
        return tuple(Lesion(kind, float(v), bool(s > 0), float(d)) for v, s, d in found)


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


def lesions(pair: MaskPair) -> LesionMatch:
    """Match the lesions of a pair, once for all metrics of lesions.

    Examples:
        >>> [lesion.matched for lesion in lesions(MaskPair([[[1, 0, 1]]], [[[1, 0, 0]]], (1.0, 1.0, 1.0))).reference]
        [True, False]
    """
    return match_lesions(pair.reference, pair.predicted, pair.voxel_ml)


def size_class(volume_ml: float) -> str:
    """Return the class of `SIZE_CLASSES_ML` that a volume belongs to.

    Examples:
        >>> size_class(0.9), size_class(1.0), size_class(30.0)
        ('small', 'medium', 'large')
    """
    return next(name for name, (low, high) in SIZE_CLASSES_ML.items() if low <= volume_ml < high)
