"""The box around masks."""

import numpy as np

from lesionflow.metrics.boxes import bounding_box
from support.masks import box


def test_the_box_around_masks_by_hand() -> None:
    one, other = box((2, 3, 4), (4, 5, 6)), box((1, 9, 4), (2, 10, 12))
    assert bounding_box(one) == (slice(2, 4), slice(3, 5), slice(4, 6))
    assert bounding_box(one, other) == (slice(1, 4), slice(3, 10), slice(4, 12))
    assert bounding_box(np.zeros((2, 3, 5), bool)) is None
