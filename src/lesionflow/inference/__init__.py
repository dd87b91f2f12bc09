"""Bundle and volume in, mask out: the one path for evaluation, batch and serving."""

from lesionflow.inference.segmenter import Segmentation, Segmenter

__all__ = ["Segmentation", "Segmenter"]
