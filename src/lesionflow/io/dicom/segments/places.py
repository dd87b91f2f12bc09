"""Frames of a segmentation that lie over one another: of one segment they must say the same."""

import hashlib
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from lesionflow.errors import DicomError


class Places:
    """Where the frames of each segment lie, and what they hold.

    Args:
        name: What to call the study in messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._boxes: dict[int, list[NDArray[np.intp]]] = defaultdict(list)
        self._contents: dict[int, list[bytes]] = defaultdict(list)

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


def _digest(pixels: NDArray[np.generic], steps: NDArray[np.intp]) -> bytes:
    """Return what tells contents of one box apart, however the frame is turned."""
    along_rows, along_columns = np.abs(steps).argmax(axis=1)
    turned = pixels[:: int(steps[0].sum()), :: int(steps[1].sum())]
    turned = turned if along_rows < along_columns else turned.T
    return hashlib.sha256(np.ascontiguousarray(turned).tobytes()).digest()
