"""Bring the channels of a study to one grid: the one way, for training and for serving."""

import math
from collections.abc import Mapping

import numpy as np

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.errors import InputError
from lesionflow.machine.grid_cost import require_grid
from lesionflow.machine.volume_cost import require_memory
from lesionflow.preprocessing.resampling import require_overlap, resample_array

#: Least share of the reference grid that each channel must cover.
MINIMUM_COVER_FRACTION = 0.5
#: Bytes a voxel of the reference grid: the channel resampled, and once more while its last axis is.
COPIES = 8


def align_channels(volumes: Mapping[str, Volume], channels: tuple[str, ...], reference: str, *, case_id: str) -> Volume:
    """Resample every channel linearly, in patient space, to the reference channel's grid and stack them.

    Args:
        volumes: One volume of one channel for each name.
        channels: Names in the order wanted.
        reference: The channel whose grid is kept, voxel for voxel.
        case_id: For messages.

    Returns:
        The channels on the reference's grid. Where a channel has no voxel its smallest value stands (air, no uptake).

    Raises:
        InputError: `missing_channel` when a name is absent; `channels_do_not_overlap` when a channel covers too little;
            `implausible_spacing`, `memory_budget` when resampling costs too much.
    """
    missing = [name for name in (*channels, reference) if name not in volumes]
    if missing:
        message = f"Case {case_id}: expected the channels {', '.join(channels)}, found no {', '.join(missing)}."
        raise InputError(message, reason="missing_channel")
    grid = volumes[reference].geometry
    arrays = []
    for name in channels:
        volume = volumes[name]
        if name != reference:
            require_overlap(volume.geometry, grid, MINIMUM_COVER_FRACTION, f"Channel {name} of case {case_id}")
            _require_affordable(volume.geometry, grid, f"channel {name} of case {case_id}")
        arrays.append(resample_array(volume.array, volume.geometry, grid, order=1, fill=float(volume.array.min())))
    return Volume(np.concatenate(arrays) if len(arrays) > 1 else arrays[0], grid)


def _require_affordable(source: Geometry, target: Geometry, name: str) -> None:
    # How the axes of one run along those of the other does not matter here: the finest of one meets the coarsest.
    own, wanted = sorted(source.spacing_mm), sorted(target.spacing_mm)
    require_grid(own, target.shape, wanted, name=name)
    require_memory(COPIES * math.prod(target.shape), name=name, what="its resampling")
