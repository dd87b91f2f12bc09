"""Detections at many thresholds, counted by hand and beside a mask's lesions."""

import numpy as np
import pytest
from scipy import ndimage

from lesionflow.metrics import score_pair
from lesionflow.metrics.detection import detect_lesions
from support.masks import SHAPE, SPACING_MM, boxes

EMPTY = np.zeros(SHAPE, bool)


def test_detections_counted_by_hand_at_each_threshold() -> None:
    reference = boxes(((0, 0, 0), (2, 4, 6)), ((6, 0, 0), (8, 4, 6)), ((11, 0, 0), (12, 2, 2)))
    probabilities = np.zeros(SHAPE, np.float32)
    probabilities[0, 0, 0], probabilities[1, 3, 5] = 0.95, 0.45
    probabilities[6, 0, 0] = 0.05  # below the lowest: not found at any threshold
    probabilities[11, 1, 1] = 0.35
    probabilities[4, 10:12, 10] = 0.65  # two voxels that touch no lesion,
    probabilities[4, 10:16, 11] = 0.25  # joined at 0.2
    probabilities[4, 15, 12] = 0.85  # with a third
    found = {one.threshold: one[1:] for one in detect_lesions(reference, probabilities)}
    assert found == {
        0.1: (3, 2, 1), 0.2: (3, 2, 1), 0.3: (3, 2, 2), 0.4: (3, 1, 2), 0.5: (3, 1, 2), 0.6: (3, 1, 2), 0.7: (3, 1, 1),
        0.8: (3, 1, 1), 0.9: (3, 1, 0), 0.95: (3, 1, 0), 0.99: (3, 0, 0),
    }  # fmt: skip
    large = {one.threshold: one[1:] for one in detect_lesions(reference, probabilities, min_voxels=2)}
    assert (large[0.2], large[0.3], large[0.7]) == ((3, 0, 1), (3, 0, 1), (3, 0, 0))
    assert {one[1:] for one in detect_lesions(EMPTY, np.zeros(SHAPE, np.float32))} == {(0, 0, 0)}
    with pytest.raises(ValueError, match="one shape"):
        detect_lesions(reference, probabilities[1:])


def test_at_its_threshold_a_mask_has_the_lesions_that_are_detected() -> None:
    random = np.random.default_rng(8)
    reference = ndimage.binary_dilation(random.random(SHAPE) > 0.995)
    probabilities = ndimage.gaussian_filter(reference + 0.8 * random.random(SHAPE), 0.7).astype(np.float32).clip(0, 1)
    mask = score_pair(reference, probabilities >= 0.7, SPACING_MM)
    detection = next(one for one in detect_lesions(reference, probabilities) if one.threshold == 0.7)
    assert detection.n_lesions == mask["n_reference_lesions"] > 2
    assert detection.n_found / detection.n_lesions == pytest.approx(mask["lesion_recall"])
    assert detection.n_false_alarms == mask["n_false_positive_lesions"]
