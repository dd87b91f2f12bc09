"""Frames of a segmentation that lie over one another, or apart: of one place they must say the same, and leave no slice out."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lesionflow.errors import DicomError

#: Two lesions on one slice each are no pattern.
MIN_STRIPES = 3


class Places:
    """Where the frames of each segment lie, and what they hold.

    Args:
        name: What to call the study in messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._boxes: dict[int, list[NDArray[np.intp]]] = defaultdict(list)
        self._contents: dict[int, list[bytes]] = defaultdict(list)
        self._drawn: dict[int, dict[tuple[int, int], bool]] = defaultdict(lambda: defaultdict(bool))

    def add(self, segment: int, pixels: NDArray[np.generic], corner: NDArray[np.intp], steps: NDArray[np.intp]) -> None:
        """Add a frame.

        Args:
            segment: Its number; one number for all frames of a label map.
            pixels: (row, column) of values, zero outside.
            corner: Grid index of the first pixel.
            steps: (2, 3) grid steps along rows and columns.

        Raises:
            DicomError: `duplicate_slice_position` when it lies over another frame of its segment that is not the same.
        """
        ends = np.stack([corner, corner + (np.array(pixels.shape) - 1) @ steps])
        box = np.stack([ends.min(axis=0), ends.max(axis=0)])
        content = _digest(pixels, steps)
        before = np.array(self._boxes[segment]).reshape(-1, 2, 3)
        over = np.flatnonzero((before[:, 0] <= box[1]).all(axis=1) & (before[:, 1] >= box[0]).all(axis=1))
        if any(self._contents[segment][n] != content or (before[n] != box).any() for n in over):
            raise DicomError(
                f"Expected one frame for each segment and place in the segmentation of {self._name}, found two that are not "
                "the same: which of them is meant is unknown. Take out one, or export it again.",
                reason="duplicate_slice_position",
            )
        if not len(over):
            self._boxes[segment].append(box)
            self._contents[segment].append(content)
            (axis,) = np.flatnonzero(~steps.any(axis=0))
            self._drawn[segment][int(axis), int(corner[axis])] |= bool(pixels.any())

    def require_no_stripes(self) -> None:
        """Refuse a segment of every second slice, or of fewer: it was drawn on a series of thicker ones.

        Raises:
            DicomError: `outline_off_grid`.
        """
        for drawn in self._drawn.values():
            for along in range(3):
                told = {place: inside for (axis, place), inside in drawn.items() if axis == along}
                if (n_apart := slices_apart(told)) > 1:
                    raise DicomError(
                        f"Expected the segmentation of {self._name} on the slices of its images, found it on each {n_apart}. of them "
                        "alone: it was drawn on a series of thicker slices, and would be striped. Segment this series.",
                        reason="outline_off_grid",
                    )


def slices_apart(drawn: Mapping[int, bool]) -> int:
    """Return how many slices an outline's slices are apart, where it never takes two in a row.

    Args:
        drawn: Whether an outline holds anything, by the number of each slice that it speaks of.

    Returns:
        The distance of at least three slices that are evenly apart and between which it speaks of none; else 1.

    Examples:
        >>> slices_apart({0: True, 2: True, 4: True})
        2
        >>> slices_apart({0: True, 1: False, 2: True, 4: True})
        1
    """
    held = sorted(place for place, inside in drawn.items() if inside)
    steps = {after - before for before, after in pairwise(held)}
    told_between = any(held[0] < place < held[-1] for place, inside in drawn.items() if not inside) if held else False
    return steps.pop() if len(held) >= MIN_STRIPES and len(steps) == 1 and not told_between else 1


def _digest(pixels: NDArray[np.generic], steps: NDArray[np.intp]) -> bytes:
    """Return what tells contents of one box apart, however the frame is turned."""
    along_rows, along_columns = np.abs(steps).argmax(axis=1)
    turned = pixels[:: int(steps[0].sum()), :: int(steps[1].sum())]
    turned = turned if along_rows < along_columns else turned.T
    return hashlib.sha256(np.ascontiguousarray(turned).tobytes()).digest()
