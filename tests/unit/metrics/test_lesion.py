"""Lesions and their sizes, counted by hand."""

import math

import pytest

from lesionflow.metrics import score_masks, score_pair
from lesionflow.metrics.lesion import size_class
from support.masks import PREDICTED, REFERENCE, SPACING_MM, boxes


def test_each_lesion_has_its_volume_and_dice() -> None:
    lesions = score_masks(REFERENCE, PREDICTED, SPACING_MM).lesions
    assert [lesion.kind for lesion in lesions] == ["reference"] * 3 + ["predicted"] * 4
    voxel_ml = 3.0 * 0.8 * 0.5 / 1000
    assert [lesion.volume_ml for lesion in lesions[:3]] == pytest.approx([48 * voxel_ml, 96 * voxel_ml, 18 * voxel_ml])
    assert [lesion.matched for lesion in lesions] == [True, True, False, True, False, True, True]
    assert sorted(lesion.dice for lesion in lesions[3:]) == pytest.approx([0, 2 * 32 / 128, 2 * 24 / 72, 2 * 48 / 144])


def test_size_classes_are_of_millilitres() -> None:
    assert [size_class(ml) for ml in (0.0, 0.999, 1.0, 9.99, 10.0, 500.0)] == [
        "small", "small", "medium", "medium", "large", "large",
    ]  # fmt: skip
    # 10 mm voxels: 1 ml each. One voxel is medium, twelve are large; nothing is small.
    reference = boxes(((0, 0, 0), (1, 1, 1)), ((4, 4, 4), (5, 7, 8)))
    predicted = boxes(((4, 4, 4), (5, 7, 8)), ((9, 9, 9), (10, 10, 10)))
    found = score_pair(reference, predicted, (10.0, 10.0, 10.0))
    assert (found["lesion_recall_medium"], found["lesion_recall_large"]) == (0.0, 1.0)
    assert (found["lesion_precision_medium"], found["lesion_precision_large"]) == (0.0, 1.0)
    assert math.isnan(found["lesion_recall_small"])
    assert math.isnan(found["lesion_precision_small"])
