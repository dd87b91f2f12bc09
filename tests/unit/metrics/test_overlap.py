"""Overlap against numbers counted by hand and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from lesionflow.metrics import score_pair
from support.masks import PREDICTED, REFERENCE, SPACING_MM, box

ONE = box((2, 2, 2), (4, 6, 8))  # 2 x 4 x 6 = 48 voxels
OTHER = box((2, 3, 2), (4, 7, 8))  # shifted by one row: 36 in both


def test_overlap_counted_by_hand() -> None:
    found = score_pair(ONE, OTHER, SPACING_MM)
    assert (found["tp"], found["fp"], found["fn"], found["tn"]) == (36, 12, 12, 9 * 11 * 13 - 60)
    assert found["dice"] == pytest.approx(72 / 96)
    assert found["iou"] == pytest.approx(36 / 60)
    assert found["precision"] == pytest.approx(36 / 48)
    assert found["recall"] == pytest.approx(36 / 48)
    assert found["specificity"] == pytest.approx(1227 / 1239)
    assert found["accuracy"] == pytest.approx(1263 / 1287)


def test_dice_is_the_f1_score_of_scikit_learn() -> None:
    assert score_pair(REFERENCE, PREDICTED, SPACING_MM)["dice"] == pytest.approx(
        f1_score(REFERENCE.ravel(), PREDICTED.ravel())
    )


@pytest.mark.parametrize(
    ("reference", "predicted", "dice", "recall", "precision"),
    [
        (np.zeros_like(ONE), np.zeros_like(ONE), 1.0, 1.0, 1.0),
        (np.zeros_like(ONE), OTHER, 0.0, 0.0, 0.0),
        (ONE, np.zeros_like(ONE), 0.0, 0.0, 0.0),
    ],
)
def test_empty_masks_follow_the_stated_rule(
    reference: np.ndarray, predicted: np.ndarray, dice: float, recall: float, precision: float
) -> None:
    found = score_pair(reference, predicted, SPACING_MM)
    assert (found["dice"], found["recall"], found["precision"]) == (dice, recall, precision)
