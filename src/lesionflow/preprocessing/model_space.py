"""Source space -> model space, and exactly back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.plan import Plan
from lesionflow.data.volume import Mask, Volume, require_same_grid
from lesionflow.errors import InputError
from lesionflow.preprocessing.crop import Box, body_box
from lesionflow.preprocessing.filters import correct_bias_field, denoise
from lesionflow.preprocessing.intensity import normalize
from lesionflow.preprocessing.orientation import (
    Orientation,
    find_orientation,
    reorient,
    reorient_geometry,
    undo_reorient,
)
from lesionflow.preprocessing.resampling import resample_array, resample_mask_to_grid, spacing_geometry

#: Change this when the code below gives other arrays: every case is then made again.
PREPROCESSING_VERSION = 1


@dataclass(frozen=True, eq=False)
class ModelSpace:
    """A study as the network sees it, and the way back.

    Args:
        volume: Network input on the model grid.
        source: The study's own grid.
        orientation: How its axes were reordered.
        box: The body in the reordered source grid.
    """

    volume: Volume
    source: Geometry
    orientation: Orientation
    box: Box

    @property
    def cropped(self) -> Geometry:
        """The reordered source grid, cut to the body."""
        return _cut(reorient_geometry(self.source, self.orientation), self.box)


def to_model_space(volume: Volume, plan: Plan, *, case_id: str) -> ModelSpace:
    """Reorient, crop to the body, filter, resample to the plan's spacing, normalize.

    Args:
        volume: All channels of a study, in the plan's order, on one grid.
        plan: The decisions.
        case_id: For messages.

    Returns:
        The study in model space.

    Raises:
        InputError: `wrong_channels` when their number differs from the plan's; `constant_channel`; `non_finite_voxels`.
    """
    if volume.n_channels != len(plan.channels):
        names = ", ".join(channel.name for channel in plan.channels)
        message = f"Case {case_id}: expected the {len(plan.channels)} channels {names}, found {volume.n_channels}."
        raise InputError(message, reason="wrong_channels")
    orientation = find_orientation(volume.geometry)
    canonical = reorient(volume.array, orientation)
    box = body_box(canonical, tuple(channel.kind for channel in plan.channels))
    cut = np.ascontiguousarray(canonical[(slice(None), *box)])
    cropped = _cut(reorient_geometry(volume.geometry, orientation), box)
    filtered = _filter(cut, plan, cropped)
    model = model_geometry(cropped, plan)
    resampled = resample_array(filtered, cropped, model, order=1, fill=0.0)
    return ModelSpace(
        Volume(normalize(resampled, plan.channels, case_id=case_id), model), volume.geometry, orientation, box
    )


def mask_to_model_space(mask: Mask, model_space: ModelSpace) -> Mask:
    """Bring a reference mask the way its image went.

    Raises:
        GeometryMismatchError: When the mask does not lie on the study's own grid.
    """
    require_same_grid(model_space.source, mask.geometry, "Image and reference mask")
    cut = np.ascontiguousarray(reorient(mask.labels, model_space.orientation)[model_space.box])
    return resample_mask_to_grid(Mask(cut, model_space.cropped), model_space.volume.geometry)


def to_source_space(probabilities: NDArray[np.float32], model_space: ModelSpace) -> NDArray[np.float32]:
    """Bring probabilities back to the study's own grid.

    Args:
        probabilities: (target, slice, row, column) on the model grid.
        model_space: What `to_model_space` gave.

    Returns:
        (target, slice, row, column) on the source grid; 0 outside the body's box.
    """
    cut = resample_array(probabilities, model_space.volume.geometry, model_space.cropped, order=1, fill=0.0)
    shape = tuple(model_space.source.shape[old] for old in model_space.orientation.order)
    whole = np.zeros((probabilities.shape[0], *shape), dtype=np.float32)
    whole[(slice(None), *model_space.box)] = cut
    return np.ascontiguousarray(undo_reorient(whole, model_space.orientation))


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


def _cut(geometry: Geometry, box: Box) -> Geometry:
    affine = geometry.affine.copy()
    affine[:3, 3] = geometry.to_lps([side.start for side in box])
    shape = tuple(side.stop - side.start for side in box)
    return Geometry((shape[0], shape[1], shape[2]), affine, geometry.spacing_known)
