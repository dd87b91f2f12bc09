"""`write_mask` by the name that programs stored with models of lesionflow 0.1 call it by. New code takes `images.nifti`."""

from lesionflow.io.images.nifti import write_mask

__all__ = ["write_mask"]
