"""What CT numbers can be at all."""

from typing import Any

from numpy.typing import NDArray

from lesionflow.errors import InputError

#: The extended scale for metal ends at 30,710 HU; above this a sign was lost: 16-bit values were read as whole numbers above 0.
MAX_HU = 32767.0


def require_hu(values: NDArray[Any], *, name: str, kind: type[InputError] = InputError) -> None:
    """Refuse values that no CT can have.

    Args:
        values: Voxels in HU, any shape.
        name: What to call the study in messages.
        kind: The error to raise.

    Raises:
        InputError: `implausible_hu`.

    Examples:
        >>> import numpy as np
        >>> require_hu(np.array([-1024.0, 3071.0]), name="c-1")
    """
    if values.size and (highest := float(values.max())) > MAX_HU:
        raise kind(
            f"Expected CT numbers up to {MAX_HU:.0f} HU in {name}, found {highest:.0f}: negative values were stored as positive "
            "ones (Pixel Representation, or a conversion without signs). Export the images again.",
            reason="implausible_hu",
        )
