"""Small studies as NIfTI, for tests that are about what happens to them and not about what is seen in them."""

from pathlib import Path

import nibabel
import numpy as np


def ct_nifti(path: Path, shape: tuple[int, int, int] = (64, 64, 24)) -> Path:
    """Write a CT of a warm box in air with a brighter ball in it."""
    grid = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij")
    array = np.full(shape, -1000, np.int16)
    array[8:-8, 8:-8] = 40
    array[sum(axis**2 for axis in grid) <= (min(shape) / 4) ** 2] = 120
    nibabel.save(nibabel.Nifti1Image(array, np.diag([-4.0, -4.0, 5.0, 1.0])), path)
    return path
