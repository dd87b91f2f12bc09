"""Whether a picture is dark on a bright background."""

import numpy as np
from numpy.typing import NDArray

#: Outside these percentiles lie specks, pens and letters.
RANGE_PERCENT = (1.0, 50.0, 99.0)


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
