"""From intensities to network input, by the plan's constants."""

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.plan import ChannelPlan
from lesionflow.errors import InputError
from lesionflow.planning.background import has_bright_background


def normalize(array: NDArray[np.float32], channels: tuple[ChannelPlan, ...], *, case_id: str) -> NDArray[np.float32]:
    """Clip and scale each channel.

    CT and PET have constants of the plan, the same for every study, because their values are physical. MR and pictures have
    none: the mean and standard deviation are those of the study's own non-zero voxels. Where the plan wants a dark background,
    a picture on a bright one has the sign of its z-scores changed.

    Args:
        array: (channel, slice, row, column).
        channels: The plan of each channel, in order.
        case_id: For messages.

    Returns:
        The same array, changed in place: of a large study a copy would not fit beside it.

    Raises:
        InputError: `constant_channel` when a channel of a study has no contrast at all; `non_finite_voxels`.
    """
    for source, plan in zip(array, channels, strict=True):
        low, high = float(source.min()), float(source.max())
        if not np.isfinite(low + high):
            message = f"Expected finite voxels in {plan.name} of case {case_id}, found NaN or infinity."
            raise InputError(message, reason="non_finite_voxels")
        if low == high:
            message = (
                f"Expected contrast in {plan.name} of case {case_id}, found {low:g} everywhere. Is the series empty?"
            )
            raise InputError(message, reason="constant_channel")
        mean, std = _constants(source, plan)
        turned = plan.dark_background and has_bright_background(source)
        if plan.lower is not None:
            np.clip(source, plan.lower, plan.upper, out=source)
        np.subtract(source, np.float32(mean), out=source)
        np.divide(source, np.float32(-std if turned else std), out=source)
    return array


def _constants(source: NDArray[np.float32], plan: ChannelPlan) -> tuple[float, float]:
    if plan.mean is not None and plan.std is not None:
        return plan.mean, plan.std
    voxels = source[source != 0]
    values = voxels if voxels.size > 1 and voxels.std() > 0 else source
    return float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
