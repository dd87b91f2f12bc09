"""Masks of boxes, small enough to count by hand."""

import numpy as np

#: (slice, row, column): voxels of 1.2 mm3, no two axes alike.
SPACING_MM = (3.0, 0.8, 0.5)
SHAPE = (13, 17, 23)

Corner = tuple[int, int, int]


def boxes(*corners: tuple[Corner, Corner], shape: Corner = SHAPE) -> np.ndarray:
    """Return a mask of boxes, each from its first voxel to beyond its last."""
    mask = np.zeros(shape, bool)
    for low, high in corners:
        mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


def box(low: Corner, high: Corner, shape: Corner = (9, 11, 13)) -> np.ndarray:
    return boxes((low, high), shape=shape)


# Three lesions: one outlined half, one split in two predictions, one missed; and one made up.
REFERENCE = boxes(((0, 0, 0), (2, 4, 6)), ((6, 0, 0), (8, 4, 12)), ((11, 14, 20), (13, 17, 23)))
PREDICTED = boxes(((0, 0, 0), (2, 2, 6)), ((6, 0, 0), (8, 4, 4)), ((6, 0, 6), (8, 4, 12)), ((2, 14, 0), (3, 15, 1)))
