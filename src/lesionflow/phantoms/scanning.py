"""What a scanner makes of a scene: blur, texture, noise, bias."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.data.geometry import Geometry
from lesionflow.phantoms.anatomy.scene import Scene, distance_mm, render
from lesionflow.phantoms.anatomy.shapes import Solid
from lesionflow.phantoms.randomness import noise

#: Standard deviation of the CT's point spread along (slice, row, column), in voxels.
CT_BLUR_VOXELS = (0.3, 0.45, 0.45)
#: Full width at half maximum of a PET scanner's point spread, mm.
PET_BLUR_MM = 6.0
FWHM_TO_SIGMA = 1 / 2.3548
CT_RANGE_HU = (-1024.0, 3071.0)


def scan_ct(scene: Scene, geometry: Geometry, skin: Solid, rng: np.random.Generator) -> NDArray[np.float32]:
    """Scan a scene by CT.

    Args:
        scene: With the properties `CT`, `fine` and `coarse`.
        geometry: The grid.
        skin: The body's outline: noise and bias grow towards its middle.
        rng: Of the textures and of the noise.

    Returns:
        HU (slice, row, column), -1024..3071, not yet rounded.
    """
    hu, fine, coarse = render(scene, ("CT", "fine", "coarse"), geometry)
    hu += fine * noise(rng, geometry, 2.5)
    hu += coarse * noise(rng, geometry, 6.0)
    hu = ndimage.gaussian_filter(hu, CT_BLUR_VOXELS, mode="nearest", truncate=3.0)
    deep = np.clip(-distance_mm(scene, skin, geometry) / 100.0, 0.0, 1.0)
    level = float(rng.uniform(6.0, 11.0))
    hu += level * (0.5 + deep) * noise(rng, geometry, 1.6)
    hu += deep * _bias(rng, geometry, 5.0)
    return np.asarray(np.clip(hu, *CT_RANGE_HU), dtype=np.float32)


def scan_pet(scene: Scene, geometry: Geometry, rng: np.random.Generator) -> NDArray[np.float32]:
    """Scan a scene by PET.

    Args:
        scene: With the property `PET`, a standardized uptake value.
        geometry: The grid, coarser than the CT's.
        rng: Of the noise.

    Returns:
        SUV by body weight (slice, row, column), g/ml, >= 0.
    """
    (suv,) = render(scene, ("PET",), geometry)
    sigma = PET_BLUR_MM * FWHM_TO_SIGMA / np.asarray(geometry.spacing_mm)
    suv = ndimage.gaussian_filter(suv, sigma, mode="nearest")
    # Counts are Poisson: the noise goes with the root of the uptake, and reconstruction correlates it.
    suv += np.float32(rng.uniform(0.06, 0.12)) * np.sqrt(np.maximum(suv, 0)) * noise(rng, geometry, 2.5)
    return np.asarray(np.maximum(suv, 0), dtype=np.float32)


def scan_mr(scene: Scene, sequence: str, geometry: Geometry, rng: np.random.Generator) -> NDArray[np.float32]:
    """Scan a scene by MR.

    Args:
        scene: With the properties `sequence` and `fine`.
        sequence: Name of the channel, such as `FLAIR`.
        geometry: The grid.
        rng: Of texture, noise and bias field.

    Returns:
        Signal in units of the scanner (slice, row, column), >= 0, with a smooth bias field of about 20 %.
    """
    signal, fine = render(scene, (sequence, "fine"), geometry)
    signal += fine * noise(rng, geometry, 2.0)
    signal = ndimage.gaussian_filter(signal, CT_BLUR_VOXELS, mode="nearest", truncate=3.0)
    signal *= np.exp(_bias(rng, geometry, 0.2))
    real = signal + 14.0 * noise(rng, geometry, 0.0)
    imaginary = 14.0 * noise(rng, geometry, 0.0)
    gain = float(rng.uniform(0.7, 1.5))
    return np.asarray(gain * np.hypot(real, imaginary), dtype=np.float32)


def _bias(rng: np.random.Generator, geometry: Geometry, strength: float) -> NDArray[np.float32]:
    """Return a smooth field: a polynomial of degree 2 of the relative position, with about `strength` as its size."""
    axes = [
        np.linspace(-1, 1, n, dtype=np.float32).reshape([-1 if a == i else 1 for a in range(3)])
        for i, n in enumerate(geometry.shape)
    ]
    field = np.zeros(geometry.shape, dtype=np.float32)
    for i, one in enumerate(axes):
        field += np.float32(rng.normal(0, 0.5)) * one
        for other in axes[i:]:
            field += np.float32(rng.normal(0, 0.4)) * one * other
    return np.float32(strength) * field
