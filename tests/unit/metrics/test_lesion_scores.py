"""Metrics by lesion against numbers counted by hand and MONAI."""

import numpy as np
import pytest
import torch
from monai.metrics.panoptic_quality import compute_panoptic_quality
from scipy import ndimage

from lesionflow.metrics import score_pair
from support.masks import PREDICTED, REFERENCE, SHAPE, SPACING_MM, box, boxes


def test_lesions_counted_by_hand() -> None:
    found = score_pair(REFERENCE, PREDICTED, SPACING_MM)
    assert (found["n_reference_lesions"], found["n_predicted_lesions"]) == (3, 4)
    assert found["lesion_recall"] == pytest.approx(2 / 3)
    assert found["lesion_precision"] == pytest.approx(3 / 4)
    assert found["lesion_f1"] == pytest.approx(2 * (2 / 3) * (3 / 4) / (2 / 3 + 3 / 4))
    assert found["n_false_positive_lesions"] == 1
    # Half of the first: 2 * 24 / (48 + 24). Ten of twelve columns of the second: 2 * 80 / (96 + 80). None of the third.
    assert found["lesion_dice"] == pytest.approx((48 / 72 + 160 / 176 + 0) / 3)


def test_panoptic_quality_by_hand_and_as_monai() -> None:
    # Neither half of the second reaches more than half of its union but the larger (48 of 96 does not: it must exceed).
    found = score_pair(REFERENCE, PREDICTED, SPACING_MM)["panoptic_quality"]
    assert found == 0.0
    larger = PREDICTED | boxes(((0, 2, 0), (2, 3, 6)))  # three of four rows of the first: IoU 36/48
    assert score_pair(REFERENCE, larger, SPACING_MM)["panoptic_quality"] == pytest.approx(0.75 / 3.5)
    random = np.random.default_rng(3)
    one = ndimage.binary_dilation(random.random(SHAPE) > 0.99)
    other = one ^ (random.random(SHAPE) > 0.97)
    labels = [ndimage.label(mask, np.ones((3, 3, 3)))[0] for mask in (other, one)]
    theirs = compute_panoptic_quality(*(torch.from_numpy(label.astype(np.int32)) for label in labels))
    assert score_pair(one, other, SPACING_MM)["panoptic_quality"] == pytest.approx(float(theirs), abs=1e-5)
    assert float(theirs) > 0.1


def test_lesions_are_found_missed_and_made_up() -> None:
    reference = box((0, 0, 0), (2, 2, 2)) | box((6, 6, 6), (8, 8, 8))
    predicted = box((1, 1, 1), (3, 3, 3)) | box((0, 9, 9), (1, 10, 10)) | box((0, 9, 0), (1, 10, 1))
    found = score_pair(reference, predicted, SPACING_MM)
    assert found["lesion_recall"] == 0.5
    assert found["lesion_precision"] == pytest.approx(1 / 3)
    assert found["n_false_positive_lesions"] == 2
