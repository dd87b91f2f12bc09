"""The images and outlines of tiny studies: stored values of soft tissue with noise, and a square tumor."""

import numpy as np

SHAPE = (4, 9, 12)
SQUARE = {"GTV_Mass": [(1, [(1.5, 2.5), (1.5, 7.5), (6.5, 7.5), (6.5, 2.5)])]}


def body(seed):
    """Stored values of soft tissue: 2 x 500 - 1000 HU and some noise."""
    return (500 + np.random.default_rng(seed).integers(0, 60, SHAPE)).astype(np.int16)
