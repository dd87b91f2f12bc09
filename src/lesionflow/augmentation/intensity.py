"""Changes of intensity for z-scored floats without bounds.

albumentations' own intensity transforms clip floats to 0..1, which would destroy normalized CT, PET and MR; these do
not. Each channel draws its own change; all slices of a channel change alike, noise apart.
"""

from typing import Any

import albumentations
import cv2
import numpy as np
from numpy.typing import NDArray

#: Below this range a channel is constant and its gamma is undefined.
SMALLEST_RANGE = 1e-6

Image = NDArray[np.float32]


class ByChannel(albumentations.ImageOnlyTransform):
    """Base: change the planes of each channel together.

    Attributes:
        n_coarse_predictions: Channels at the end that are no intensities, and left as they are.

    Args:
        n_slices: Planes a channel.
        p: How likely a sample is changed.
    """

    def __init__(self, n_slices: int, p: float) -> None:
        super().__init__(p=p)
        self.n_slices = n_slices
        self.n_coarse_predictions = 0

    def apply(self, img: Image, **_: Any) -> Image:
        """Change every channel of (row, column, plane) but the coarse predictions."""
        planes = np.split(img, img.shape[-1] // self.n_slices, axis=-1)
        n_changed = len(planes) - self.n_coarse_predictions
        changed = [self.change(channel) for channel in planes[:n_changed]]
        return np.concatenate([*changed, *planes[n_changed:]], axis=-1, dtype=np.float32)

    def change(self, channel: Image) -> Image:
        """Change one channel of (row, column, slice)."""
        raise NotImplementedError


class Noise(ByChannel):
    """Add Gaussian noise whose standard deviation lies between 0 and `std`, in z-scores."""

    def __init__(self, std: float, n_slices: int, p: float) -> None:
        super().__init__(n_slices, p)
        self.std = std

    def change(self, channel: Image) -> Image:
        """Add noise to one channel."""
        rng = self.random_generator
        std = np.float32(rng.uniform(0.0, self.std))
        return channel + std * rng.standard_normal(channel.shape, dtype=np.float32)


class Blur(ByChannel):
    """Blur in plane with a Gaussian whose sigma lies between 0 and `sigma_mm`."""

    def __init__(self, sigma_mm: float, spacing_mm: tuple[float, float], n_slices: int, p: float) -> None:
        super().__init__(n_slices, p)
        self.sigma_mm = sigma_mm
        self.spacing_mm = spacing_mm

    def change(self, channel: Image) -> Image:
        """Blur one channel."""
        sigma_mm = self.random_generator.uniform(0.0, self.sigma_mm)
        row, column = (max(sigma_mm / spacing, SMALLEST_RANGE) for spacing in self.spacing_mm)
        # A kernel of odd width covering 3 sigma either side; OpenCV's own choice for floats covers 4.
        size = tuple(2 * int(np.ceil(3 * sigma)) + 1 for sigma in (column, row))
        blurred = cv2.GaussianBlur(channel, size, sigmaX=column, sigmaY=row, borderType=cv2.BORDER_REFLECT_101)
        return np.asarray(blurred).reshape(channel.shape)


class Contrast(ByChannel):
    """Multiply distances from the channel's mean by a factor in 1 / (1 + f) .. 1 + f, within the channel's range."""

    def __init__(self, fraction: float, n_slices: int, p: float) -> None:
        super().__init__(n_slices, p)
        self.fraction = fraction

    def change(self, channel: Image) -> Image:
        """Change the contrast of one channel."""
        factor = _factor(self.random_generator, self.fraction)
        mean = channel.mean()
        return np.clip((channel - mean) * factor + mean, channel.min(), channel.max())


class Gamma(ByChannel):
    """Bend intensities: ((x - min) / range) ** gamma, gamma in 1 / (1 + f) .. 1 + f, back to the channel's range."""

    def __init__(self, fraction: float, n_slices: int, p: float) -> None:
        super().__init__(n_slices, p)
        self.fraction = fraction

    def change(self, channel: Image) -> Image:
        """Bend one channel."""
        gamma = _factor(self.random_generator, self.fraction)
        low, width = channel.min(), np.ptp(channel)
        if width < SMALLEST_RANGE:
            return channel
        return ((channel - low) / width) ** gamma * width + low


class Inversion(ByChannel):
    """Turn light to dark and dark to light: for pictures, which show the same either way, by stain or by fluorescence."""

    def change(self, channel: Image) -> Image:
        """Negate the z-scores of one channel."""
        return -channel


class LowResolution(ByChannel):
    """Shrink in plane by a factor in 1 .. `factor` and enlarge again: what a coarser scan would have shown.

    References:
        Isensee et al. 2021, DOI 10.1038/s41592-020-01008-z, supplement 4.
    """

    def __init__(self, factor: float, n_slices: int, p: float) -> None:
        super().__init__(n_slices, p)
        self.factor = factor

    def change(self, channel: Image) -> Image:
        """Make one channel coarser."""
        rows, columns = channel.shape[:2]
        factor = self.random_generator.uniform(1.0, self.factor)
        small = (max(round(columns / factor), 1), max(round(rows / factor), 1))
        # OpenCV averages areas of four planes at most.
        coarse = [cv2.resize(plane, small, interpolation=cv2.INTER_AREA) for plane in np.moveaxis(channel, -1, 0)]
        fine = [cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_LINEAR) for plane in coarse]
        return np.stack(fine, axis=-1)


def _factor(rng: np.random.Generator, fraction: float) -> np.float32:
    limit = np.log1p(fraction)
    return np.float32(np.exp(rng.uniform(-limit, limit)))
