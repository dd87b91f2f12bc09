"""Everything random comes from (seed, patient, purpose): no patient depends on how many others are made."""

import zlib

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import generate_uid
from scipy import ndimage

from lesionflow.data.geometry import Geometry


def stream(seed: int, index: int, purpose: str) -> np.random.Generator:
    """Return the random numbers of one purpose of one patient.

    Args:
        seed: Of the whole set.
        index: Of the patient, from 0.
        purpose: Each purpose has numbers of its own: adding one changes no other.
    """
    return np.random.default_rng([seed & 0xFFFFFFFF, index, zlib.crc32(purpose.encode())])


def uid(seed: int, index: int, *what: object) -> str:
    """Return a DICOM UID that depends on the arguments alone."""
    return str(generate_uid(entropy_srcs=["lesionflow phantom", str(seed), str(index), *map(str, what)]))


def rotation_matrix(degrees_xyz: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return the 3 x 3 rotation about x, then y, then z."""
    result = np.eye(3)
    for axis, degrees in enumerate(degrees_xyz):
        cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[i, i], turn[i, j], turn[j, i], turn[j, j] = cos, -sin, sin, cos
        result = turn @ result
    return result


def noise(rng: np.random.Generator, geometry: Geometry, correlation_mm: float) -> NDArray[np.float32]:
    """Return smooth noise of mean 0 and standard deviation 1 on a grid, (slice, row, column).

    Args:
        rng: Where it comes from.
        geometry: The grid.
        correlation_mm: Standard deviation of the Gaussian that smooths it; 0 is white noise.
    """
    white = rng.standard_normal(geometry.shape, dtype=np.float32)
    if correlation_mm <= 0:
        return white
    sigma = np.asarray(correlation_mm) / np.asarray(geometry.spacing_mm)
    smooth = ndimage.gaussian_filter(white, sigma, mode="nearest", truncate=2.5)
    return np.asarray((smooth - smooth.mean()) / max(float(smooth.std()), 1e-6), dtype=np.float32)
