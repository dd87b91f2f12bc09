"""Stored values -> labels: whole numbers 0..255, whatever type and scale a program stored them in."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What 16-bit programs write for "inside" where others write 255.
INSIDE_16_BIT = 65535
#: A coarser step of storage would let shares of a voxel pass for labels.
MAX_STEP = 0.1
#: How far arithmetic in 32 bits may leave a whole number, as a share of it.
ROUNDING_FRACTION = float(2 * np.finfo(np.float32).eps)


def as_labels(values: NDArray[Any], step: float = 0.0) -> NDArray[np.uint8] | None:
    """Read stored values as labels.

    Args:
        values: Numbers as the file means them, scaled.
        step: Between two values that the file can store: the slope by which it scales whole numbers; 0 for others. A
            label may lie half of it from a whole number, since nothing nearer could be stored.

    Returns:
        The labels, 255 where there is 0 and 65535 alone; None when a value is no label.

    Examples:
        >>> as_labels(np.array([0.0, 1.00001526, 2.0]), step=3.0518e-05)
        array([0, 1, 2], dtype=uint8)
        >>> as_labels(np.array([0.0, 0.9, 1.0])) is None
        True
        >>> as_labels(np.array([0, 65535]))
        array([  0, 255], dtype=uint8)
    """
    if values.dtype in (np.bool_, np.uint8):
        return values.astype(np.uint8)
    low, high = values.min(), values.max()
    if high == INSIDE_16_BIT and low in (0, INSIDE_16_BIT) and np.isin(values, (0, INSIDE_16_BIT)).all():
        return np.where(values == INSIDE_16_BIT, np.uint8(255), np.uint8(0))
    if values.dtype.kind in "iu":
        return values.astype(np.uint8) if low >= 0 and high <= 255 else None
    # NaN fails every comparison.
    if not (low > -0.5 and high < 255.5):
        return None
    whole = np.rint(values)
    off = np.abs(values - whole)
    allowed = (step * 0.5005 if step <= MAX_STEP else 0.0) + ROUNDING_FRACTION * np.maximum(whole, 1.0)
    return whole.astype(np.uint8) if (off <= allowed).all() else None
