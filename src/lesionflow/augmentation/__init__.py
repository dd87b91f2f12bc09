"""Random changes of training patches: the only albumentations. See `build_augmentation`."""

import os

# albumentations looks for a newer version of itself over the network when it is imported.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

from lesionflow.augmentation.pipeline import Augmentation, Changes, build_augmentation

__all__ = ["Augmentation", "Changes", "build_augmentation"]
