"""Params of `plan` and `preprocess`: what the data decide, and what is pinned.

`auto` lets the data decide (not null, which a Kubeflow parameter can't hold).
"""

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from lesionflow.config.sections.section import (
    Auto,
    Count,
    Fraction,
    Level,
    MadeAnew,
    NotNegative,
    Positive,
    Section,
    in_order,
)


class ArchitectureConfig(Section):
    """A network: its name in `models.ARCHITECTURES` and that architecture's own options."""

    made_anew: ClassVar = MadeAnew.PLAN

    name: str
    """The network, by its name in docs/training.md, such as `unet` or `residual_encoder_unet`."""
    options: dict[str, Any]
    """The network's own options, such as width and depth; each network has others, and all must be given."""

    @field_validator("options")
    @classmethod
    def _whole_numbers_are_whole(cls, options: dict[str, Any]) -> dict[str, Any]:
        # `8.0` where 8 is meant is the same network; the same params must give the same plan.
        if not_finite := [name for name, value in options.items() if not _is_finite(value)]:
            raise ValueError(f"expected finite numbers, found others in {', '.join(not_finite)}")
        return {name: _whole(value) for name, value in options.items()}


class InferenceConfig(Section):
    """How patches become a mask."""

    made_anew: ClassVar = MadeAnew.PLAN

    overlap_fraction: Annotated[float, Field(ge=0.0, lt=1.0)]
    """By which share of its length a 3D patch overlaps the next along each axis: more takes longer and has fewer seams."""
    flip_axes: tuple[Annotated[int, Field(ge=0, le=2)], ...]
    """Axes (0 slices, 1 rows, 2 columns) along which the network also sees the study mirrored, to answer with the mean."""
    probability_threshold: Level
    """From which probability on a voxel belongs to the mask; where the rules begin that training fits on validation cases."""
    min_lesion_ml: NotNegative
    """Smaller lesions are dropped from the mask; where the rules begin that training fits on validation cases."""
    fill_holes: bool
    """Whether holes in a lesion are filled; where the rules begin that training fits on validation cases."""


class PlanConfig(Section):
    """Params of `plan`; `auto` lets the data decide."""

    made_anew: ClassVar = MadeAnew.PLAN

    dimensions: Annotated[Literal[2, 3] | Auto, MadeAnew.ARRAYS]
    """Whether the network sees slices (2) or volumes (3)."""
    spacing_mm: Annotated[tuple[Positive | Auto, Positive | Auto, Positive | Auto], MadeAnew.ARRAYS]
    """Voxel spacing (slice, row, column) that studies are resampled to; in 2D an `auto` slice spacing keeps each study's own."""
    patch_size: tuple[Count, Count, Count] | Auto
    """Voxels (slice, row, column) that the network sees at once in training; in 2D the first is `context_slices`."""
    batch_size: Count | Auto
    """Patches in a training step; `auto` takes what `memory_budget_mb` holds."""
    cascade: bool | Auto
    """Whether networks on shrunk volumes first tell the 3D network what lies beyond its patch."""
    context_slices: Literal[1, 3, 5]
    """How many neighboring slices a 2D network sees, to segment the middle one."""
    memory_budget_mb: Count
    """Memory that training may take: patch and batch are chosen to fit, or refused where they are pinned."""
    ct_window_hu: Annotated[tuple[float, float] | Auto, MadeAnew.ARRAYS]
    """Window that CT intensities are clipped to before they are normalized."""
    dark_background: Annotated[bool | Auto, MadeAnew.ARRAYS]
    """Whether pictures on a bright background are turned light to dark, so that all show bright things on dark."""
    keep_within_fraction: Annotated[Fraction, MadeAnew.ARRAYS]
    """As long as added data move spacing and intensities by less, those of the plan that lies there are kept; 0 never keeps them."""
    denoising: Annotated[Literal["none", "median", "curvature"], MadeAnew.ARRAYS]
    """Filter of every channel before it is resampled."""
    bias_field_correction: Annotated[bool, MadeAnew.ARRAYS]
    """Whether MR channels have slow changes of brightness taken out (N4)."""
    architecture: ArchitectureConfig
    inference: InferenceConfig

    _limits_in_order = field_validator("ct_window_hu")(in_order)


class PreprocessConfig(Section):
    """Params of `preprocess`; what changes an array is in the plan."""

    made_anew: ClassVar = MadeAnew.LIMIT

    max_failed_fraction: Fraction
    """Which share of the cases may be impossible to preprocess before the run fails."""


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _whole(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
