"""Bundle and volume in, mask out: the one path for evaluation, batch and serving."""

from lesionflow.inference.confidence import Finding
from lesionflow.inference.segmenter import NetworkAnswer, Segmentation, Segmenter

__all__ = ["Finding", "NetworkAnswer", "Segmentation", "Segmenter"]
