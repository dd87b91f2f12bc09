"""How a 2D network sees its neighbors: the one order of channels, for training and for inference."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def stack_context(image: NDArray[Any], center: int, n_context: int) -> NDArray[Any]:
    """Return a slice with its neighbors as channels.

    Args:
        image: (channel, slice, row, column).
        center: The slice to predict.
        n_context: Odd number of slices; beyond the first and last slice the outermost is repeated.

    Returns:
        (channel * n_context, row, column): for each channel its slices in ascending order.
    """
    half = n_context // 2
    wanted = np.clip(np.arange(center - half, center + half + 1), 0, image.shape[1] - 1)
    return image[:, wanted].reshape(-1, *image.shape[2:])
