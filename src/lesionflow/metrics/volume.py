"""Volumes of two masks and how far they are apart."""

import math
from typing import NamedTuple

from lesionflow.metrics.overlap import counts
from lesionflow.metrics.pair import MaskPair, Metric


class Volumes(NamedTuple):
    """Volumes of both masks."""

    reference_ml: float
    predicted_ml: float


def volumes(pair: MaskPair) -> Volumes:
    """Measure both masks.

    Examples:
        >>> volumes(MaskPair([[[1, 1, 1, 0]]], [[[0, 0, 1, 1]]], (10.0, 10.0, 20.0)))  # voxels of 2 ml
        Volumes(reference_ml=6.0, predicted_ml=4.0)
    """
    voxels = pair.once(counts)
    return Volumes((voxels.tp + voxels.fn) * pair.voxel_ml, (voxels.tp + voxels.fp) * pair.voxel_ml)


def volume_error_ml(found: Volumes) -> float:
    """Predicted minus reference, in ml.

    Examples:
        >>> volume_error_ml(Volumes(reference_ml=6.0, predicted_ml=4.0))
        -2.0
    """
    return found.predicted_ml - found.reference_ml


def absolute_volume_error_ml(found: Volumes) -> float:
    """Volume error without its sign, in ml.

    Examples:
        >>> absolute_volume_error_ml(Volumes(reference_ml=6.0, predicted_ml=4.0))
        2.0
    """
    return abs(volume_error_ml(found))


def relative_volume_error(found: Volumes) -> float:
    """Volume error by the reference's volume: -1 when nothing was found; infinite when there is nothing to find.

    Examples:
        >>> relative_volume_error(Volumes(reference_ml=8.0, predicted_ml=4.0))
        -0.5
        >>> relative_volume_error(Volumes(reference_ml=0.0, predicted_ml=4.0))
        inf
    """
    if not found.reference_ml:
        return math.inf if found.predicted_ml else math.nan
    return volume_error_ml(found) / found.reference_ml


_NO_RULE = "predicted minus reference; an empty mask has 0 ml"
_UNDEFINED = "both empty: undefined (NaN); empty reference: infinite, counted beside the mean"
METRICS = (
    Metric("volume_error_ml", "ml", 0, _NO_RULE, volumes, volume_error_ml, -math.inf, math.inf),
    Metric(
        "absolute_volume_error_ml", "ml", -1, "an empty mask has 0 ml", volumes, absolute_volume_error_ml, 0.0, math.inf
    ),
    Metric("relative_volume_error", "", 0, _UNDEFINED, volumes, relative_volume_error, -1.0, math.inf),
)
