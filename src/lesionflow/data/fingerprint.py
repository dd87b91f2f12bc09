"""Facts measured on the training cases, from which the plan is decided."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Shape, SpacingMm

#: Percentiles that bound the intensities of tumors, as nnU-Net's (Isensee et al. 2021, DOI 10.1038/s41592-020-01008-z).
BOUNDS_PERCENT = (0.5, 99.5)
#: By how much turning must raise the share of cases in which what is outlined differs from the rest in the same direction.
LEAST_GAIN = 0.05


class BackgroundContrast(NamedTuple):
    """What the pictures of one channel show.

    Args:
        bright_background: Bool (case,).
        outlined_is_brighter: Floats (case,): 1 where what is outlined is brighter than the picture on the whole, -1 where it is
            darker, 0 where nothing is outlined.

    Examples:
        Two pictures on bright ground show something dark, one on dark ground something bright, one shows nothing: as they
        are, two of three agree; with the bright ones turned, all three.

        >>> contrast = BackgroundContrast(np.array([True, True, False, False]), np.array([-1.0, -1.0, 1.0, 0.0]))
        >>> round(contrast.agreement(turned=False), 3), contrast.agreement(turned=True)
        (0.667, 1.0)
        >>> contrast.better_turned
        True
    """

    bright_background: NDArray[np.bool_]
    outlined_is_brighter: NDArray[np.float64]

    def agreement(self, *, turned: bool) -> float:
        """Return the share of the outlined cases that differ from their surroundings in the same direction as most."""
        signs = np.where(self.bright_background & turned, -1.0, 1.0) * self.outlined_is_brighter
        known = signs[signs != 0]
        return float(max((known > 0).mean(), (known < 0).mean())) if known.size else 1.0

    @property
    def better_turned(self) -> bool:
        """Tell whether pictures on a bright background should be turned light to dark."""
        return self.agreement(turned=True) - self.agreement(turned=False) >= LEAST_GAIN


@dataclass(frozen=True, eq=False)
class CaseFacts:
    """What one case tells.

    Args:
        case_id: Its pseudonym.
        spacing_mm: (slice, row, column) spacing in canonical orientation.
        body_shape: Voxels of the body's box.
        tumor_ml: Volume of all labels together.
        body: (channel, n) intensities sampled inside the body.
        tumor: (channel, n) intensities sampled inside the labels; n may be 0.
    """

    case_id: str
    spacing_mm: SpacingMm
    body_shape: Shape
    tumor_ml: float
    body: NDArray[np.float32]
    tumor: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What all training cases tell together; `contrasts` has an entry a channel."""

    n_cases: int
    median_spacing_mm: SpacingMm
    fine_slice_spacing_mm: float
    median_body_mm: tuple[float, float, float]
    median_tumor_ml: float
    body: NDArray[np.float32]
    tumor: NDArray[np.float32]
    contrasts: tuple[BackgroundContrast, ...]

    @property
    def anisotropy(self) -> float:
        """Coarsest over finest median spacing."""
        return max(self.median_spacing_mm) / min(self.median_spacing_mm)

    def tumor_bounds(self, channel: int) -> tuple[float, float]:
        """Intensities between which 99 % of the tumor voxels of a channel lie; of the body where there is no tumor."""
        values = self.tumor[channel] if self.tumor.shape[1] else self.body[channel]
        low, high = np.percentile(values, BOUNDS_PERCENT)
        return float(low), float(high)
