"""Bundle and volume in, mask out: the one path for evaluation, batch and serving. Studies on disk belong to `prediction`."""

from lesionflow.data.quantities.target_finding import FoundLesion, TargetFinding
from lesionflow.inference.segmenter import NetworkAnswer, Segmentation, Segmenter

__all__ = ["FoundLesion", "NetworkAnswer", "Segmentation", "Segmenter", "TargetFinding"]
