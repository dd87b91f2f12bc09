"""Bundle and volume in, mask out: the one path for evaluation, batch and serving. Studies on disk belong to `prediction`."""

from lesionflow.inference.findings import TargetFinding
from lesionflow.inference.segmenter import NetworkAnswer, Segmentation, Segmenter

__all__ = ["NetworkAnswer", "Segmentation", "Segmenter", "TargetFinding"]
