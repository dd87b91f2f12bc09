"""Two masks that are compared, and what a metric is: a figure of something that is measured on them once."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from lesionflow.data.geometry import SpacingMm
from lesionflow.metrics.boxes import bounding_box

Measured = TypeVar("Measured")


class MaskPair:
    """A reference and a predicted mask, cut to the box around both: air around them costs nothing.

    Args:
        reference: Bool (slice, row, column).
        predicted: Bool, same shape, same grid.
        spacing_mm: (slice, row, column) spacing.
        ignored: Bool, same shape: voxels that nobody is judged by, which are in neither mask; None for none.

    Attributes:
        n_outside: Voxels of the image beyond the box, in neither mask; less those of the whole image that are ignored.
        image_diagonal_mm: Diagonal of the whole image: no two of its points lie further apart.
        voxel_ml: Volume of a voxel.
        is_flat: A single slice stands for a 2D image.

    Raises:
        ValueError: When the shapes differ.

    Examples:
        >>> pair = MaskPair([[[1, 1, 0, 0, 0]]], [[[0, 1, 0, 0, 0]]], (2.0, 1.0, 5.0))
        >>> pair.reference.shape, pair.n_outside, pair.voxel_ml
        ((1, 1, 2), 3, 0.01)
        >>> MaskPair([[[1, 0, 0], [0, 0, 0]]], [[[0, 0, 0], [0, 0, 0]]], (6.0, 1.0, 2.0)).image_diagonal_mm  # 6 x 2 x 6 mm
        8.717797887081348
    """

    def __init__(
        self, reference: ArrayLike, predicted: ArrayLike, spacing_mm: SpacingMm, *, ignored: ArrayLike | None = None
    ) -> None:
        ours, theirs = np.asarray(reference, dtype=bool), np.asarray(predicted, dtype=bool)
        n_ignored = 0
        if ignored is not None:
            known = ~np.asarray(ignored, dtype=bool)
            ours, theirs, n_ignored = ours & known, theirs & known, known.size - int(np.count_nonzero(known))
        if ours.shape != theirs.shape:
            raise ValueError(f"Expected two masks of one shape, found {ours.shape} and {theirs.shape}.")
        box = bounding_box(ours, theirs) or (slice(0, 1),) * ours.ndim
        self.reference, self.predicted = ours[box], theirs[box]
        self.spacing_mm = spacing_mm
        self.n_outside = ours.size - self.reference.size - n_ignored
        self.image_diagonal_mm = float(np.linalg.norm(np.multiply(ours.shape, spacing_mm)))
        self.voxel_ml = float(np.prod(spacing_mm)) / 1000.0
        self.is_flat = ours.shape[0] == 1
        self._measured: dict[Callable[[MaskPair], Any], Any] = {}

    def once(self, measure: Callable[["MaskPair"], Measured]) -> Measured:
        """Measure something on the pair when it is first asked for, and remember it.

        Args:
            measure: A module's function: what is made anew at each call is remembered by nobody.
        """
        if measure not in self._measured:
            self._measured[measure] = measure(self)
        found: Measured = self._measured[measure]
        return found


class Metric(NamedTuple):
    """A metric: how it is computed, what it may be, and what it says of empty masks.

    `direction` tells whether more is better (+1), worse (-1) or neither (0); `empty` what an empty mask gives, in words.
    `figure` takes what `measure` finds on a pair, where other metrics find it too. It is never below `lower` or above
    `upper`, unless it is NaN; its docstring's first sentence is the metric's row in the docs.

    NaN means that neither mask has anything to judge, and infinity that no finite value exists as one alone is empty: a
    model must not drop out of a mean, or of a comparison, by what it misses or makes up.
    """

    name: str
    unit: str
    direction: int
    empty: str
    measure: Callable[[MaskPair], Any]
    figure: Callable[[Any], float]
    lower: float
    upper: float

    def of(self, pair: MaskPair) -> float:
        """Return the metric of a pair; NaN where it is undefined, infinite where a miss or false alarm has no finite value."""
        return self.figure(pair.once(self.measure))
