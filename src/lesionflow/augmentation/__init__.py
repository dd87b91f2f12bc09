"""Random changes of training patches, the only albumentations: see `build_augmentation`. Changes without chance belong to `preprocessing`."""

import os

# albumentations looks for a newer version of itself over the network when it is imported.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

from lesionflow.augmentation.pipeline import Augmentation, Changes, build_augmentation

__all__ = ["Augmentation", "Changes", "build_augmentation"]
