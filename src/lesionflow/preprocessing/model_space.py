"""Source space -> model space, and exactly back."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.plan import Plan
from lesionflow.data.volume import Mask, Volume, require_same_grid
from lesionflow.errors import InputError
from lesionflow.machine.grid_cost import require_grid
from lesionflow.machine.volume_cost import require_memory
from lesionflow.preprocessing.crop import Box, body_box
from lesionflow.preprocessing.filters import correct_bias_field, denoise
from lesionflow.preprocessing.intensity import normalize
from lesionflow.preprocessing.orientation import (
    Orientation,
    find_orientation,
    reorient,
    reorient_geometry,
)
from lesionflow.preprocessing.resampling import resample_mask_to_grid, resample_slabs, spacing_geometry

#: Of a float32.
BYTES = 4


@dataclass(frozen=True, eq=False)
class WayBack:
    """How a study came to model space, and so the way back.

    Args:
        model: The model grid.
        source: The study's own grid.
        orientation: How its axes were reordered.
        box: The body in the reordered source grid.
    """

    model: Geometry
    source: Geometry
    orientation: Orientation
    box: Box

    @property
    def cropped(self) -> Geometry:
        """The reordered source grid, cut to the body."""
        return reorient_geometry(self.source, self.orientation).cut(self.box)

    def view(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the body of an array (..., slice, row, column) on the source grid, reordered. Nothing is copied."""
        return reorient(array, self.orientation)[(..., *self.box)]


@dataclass(frozen=True, eq=False)
class ModelSpace:
    """A study as the network sees it, and the way back.

    Args:
        volume: Network input on the model grid.
        way_back: How it came there.
    """

    volume: Volume
    way_back: WayBack


def to_model_space(volume: Volume, plan: Plan, *, case_id: str, way: WayBack | None = None) -> ModelSpace:
    """Reorient, crop to the body, filter, resample to the plan's spacing, normalize.

    Args:
        volume: All channels of a study, in the plan's order, on one grid.
        plan: The decisions.
        case_id: For messages.
        way: What `find_way_back` gave, if it was asked already.

    Returns:
        The study in model space.

    Raises:
        InputError: `wrong_channels` when their number differs from the plan's; `constant_channel`; `non_finite_voxels`.
    """
    if volume.n_channels != len(plan.channels):
        names = ", ".join(channel.name for channel in plan.channels)
        message = f"Case {case_id}: expected the {len(plan.channels)} channels {names}, found {volume.n_channels}."
        raise InputError(message, reason="wrong_channels")
    way = way or find_way_back(volume, plan)
    filtered = _filter(way.view(volume.array), plan, way.cropped)
    resampled = np.empty((volume.n_channels, *way.model.shape), dtype=np.float32)
    for block, part in resample_slabs(filtered, way.cropped, way.model):
        resampled[:, block] = part
    return ModelSpace(Volume(normalize(resampled, plan.channels, case_id=case_id), way.model), way)


def find_way_back(volume: Volume, plan: Plan) -> WayBack:
    """Find out how a study comes to model space, without bringing it there.

    Args:
        volume: All channels of a study, in the plan's order, on one grid.
        plan: The decisions.

    Returns:
        Where its body lies and the model grid over it.

    Raises:
        InputError: `oversized_model_grid`, `implausible_spacing`, `memory_budget` when the model grid costs too much.
    """
    orientation = find_orientation(volume.geometry)
    box = body_box(reorient(volume.array, orientation), tuple(channel.kind for channel in plan.channels))
    cropped = reorient_geometry(volume.geometry, orientation).cut(box)
    model = model_geometry(cropped, plan)
    require_grid(cropped.spacing_mm, model.shape, model.spacing_mm, name="the study")
    held = BYTES * (len(plan.channels) + len(plan.targets)) * math.prod(model.shape)
    require_memory(held, name="the study", what="what the model sees")
    return WayBack(model, volume.geometry, orientation, box)


def stay_in_source_space(geometry: Geometry) -> WayBack:
    """Return the way back of what never left the study's own grid.

    Args:
        geometry: The study's grid.
    """
    whole = tuple(slice(0, n) for n in geometry.shape)
    unchanged = Orientation((0, 1, 2), (False, False, False))
    return WayBack(geometry, geometry, unchanged, (whole[0], whole[1], whole[2]))


def mask_to_model_space(mask: Mask, model_space: ModelSpace) -> Mask:
    """Bring a reference mask the way its image went.

    Raises:
        GeometryMismatchError: When the mask does not lie on the study's own grid.
    """
    way = model_space.way_back
    require_same_grid(way.source, mask.geometry, "Image and reference mask")
    return resample_mask_to_grid(Mask(np.ascontiguousarray(way.view(mask.labels)), way.cropped), way.model)


def to_source_space(probabilities: NDArray[np.float32], way_back: WayBack) -> NDArray[np.float32]:
    """Bring probabilities back to the study's own grid.

    Args:
        probabilities: (target, slice, row, column) on the model grid.
        way_back: What `to_model_space` gave.

    Returns:
        (target, slice, row, column) on the source grid; 0 outside the body's box.
    """
    whole = np.zeros((probabilities.shape[0], *way_back.source.shape), dtype=np.float32)
    body = way_back.view(whole)
    for block, part in source_slabs(probabilities, way_back):
        body[:, block] = part
    return whole


def source_slabs(
    probabilities: NDArray[np.float32], way_back: WayBack, first: int = 0, last: int | None = None
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Bring probabilities back a few slices at a time: what is held beside them stays small.

    Args:
        probabilities: (target, slice, row, column) on the model grid.
        way_back: What `to_model_space` gave.
        first: First slice wanted of `way_back.cropped`.
        last: Slice after the last wanted; without it, all.

    Yields:
        Slices of `way_back.cropped`, and their probabilities (target, slices, row, column).
    """
    return resample_slabs(probabilities, way_back.model, way_back.cropped, first=first, last=last)


def model_geometry(cropped: Geometry, plan: Plan) -> Geometry:
    """Return the model grid of a cropped study: the plan's spacing, or the study's own where the plan says null."""
    own = cropped.spacing_mm
    wanted = [o if p is None else p for o, p in zip(own, plan.spacing_mm, strict=True)]
    return spacing_geometry(cropped, (wanted[0], wanted[1], wanted[2]))


def _filter(array: NDArray[np.float32], plan: Plan, geometry: Geometry) -> NDArray[np.float32]:
    if plan.denoising == "none" and not plan.bias_field_correction:
        return array
    channels = []
    for channel, source in zip(plan.channels, array, strict=True):
        is_mr = channel.kind == "mr" and plan.bias_field_correction
        corrected = correct_bias_field(source, geometry.spacing_mm) if is_mr else source
        channels.append(denoise(corrected, plan.denoising, geometry.spacing_mm))
    return np.stack(channels)
