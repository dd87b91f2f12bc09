"""Whether a picture is dark on a bright background, and whether turning such pictures makes a kind of data of one kind."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Outside these percentiles lie specks, pens and letters.
RANGE_PERCENT = (1.0, 50.0, 99.0)
#: By how much turning must raise the share of cases in which what is outlined differs from the rest in the same direction.
LEAST_GAIN = 0.05


class Contrast(NamedTuple):
    """What the pictures of one channel show.

    Args:
        bright_background: Bool (case,).
        outlined_is_brighter: Floats (case,): 1 where what is outlined is brighter than the picture on the whole, -1 where it is
            darker, 0 where nothing is outlined.
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


def has_bright_background(values: NDArray[np.floating]) -> bool:
    """Tell whether most of a picture is nearer to its brightest than to its darkest.

    Background is what there is most of: under a microscope with light from behind it is bright, in fluorescence dark.

    Args:
        values: Intensities; those of 0 were filled in and do not count.
    """
    shown = values[values != 0]
    if not shown.size:
        return False
    dark, middle, bright = np.percentile(shown, RANGE_PERCENT)
    return bool(bright - middle < middle - dark)
