"""From source space to model space and back."""

from lesionflow.preprocessing.alignment import align_channels
from lesionflow.preprocessing.model_space import (
    PREPROCESSING_VERSION,
    ModelSpace,
    mask_to_model_space,
    to_model_space,
    to_source_space,
)
from lesionflow.preprocessing.resampling import resample_mask_to_grid, resample_to_grid

__all__ = [
    "PREPROCESSING_VERSION",
    "ModelSpace",
    "align_channels",
    "mask_to_model_space",
    "resample_mask_to_grid",
    "resample_to_grid",
    "to_model_space",
    "to_source_space",
]
