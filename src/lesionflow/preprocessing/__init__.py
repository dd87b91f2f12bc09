"""From source space to model space and back, by the plan alone. Random changes belong to `augmentation`, decisions to `planning`."""

from lesionflow.preprocessing.alignment import align_channels
from lesionflow.preprocessing.crop import filled_body
from lesionflow.preprocessing.model_space import (
    ModelSpace,
    WayBack,
    find_way_back,
    mask_to_model_space,
    source_slabs,
    stay_in_source_space,
    to_model_space,
    to_source_space,
)
from lesionflow.preprocessing.resampling import resample_mask_to_grid, resample_to_grid

__all__ = [
    "ModelSpace",
    "WayBack",
    "align_channels",
    "filled_body",
    "find_way_back",
    "mask_to_model_space",
    "resample_mask_to_grid",
    "resample_to_grid",
    "source_slabs",
    "stay_in_source_space",
    "to_model_space",
    "to_source_space",
]
