"""What is measured on a pair of masks, and what a metric says of itself."""

import math

import numpy as np
import pytest

from lesionflow.metrics import COUNTS, METRICS, score_masks, score_pair
from lesionflow.metrics.pair import MaskPair
from support.masks import SHAPE, SPACING_MM, box, boxes

REFERENCE = box((2, 2, 2), (4, 6, 8))
PREDICTED = box((2, 3, 2), (4, 7, 8))  # shifted by one row
EMPTY, SINGLE, FULL = np.zeros(SHAPE, bool), boxes(((12, 16, 22), (13, 17, 23))), np.ones(SHAPE, bool)
NAN = math.nan


def test_masks_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        score_pair(REFERENCE, REFERENCE[1:], SPACING_MM)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())
def test_every_metric_says_what_it_is(metric) -> None:
    # The same voxels, larger: 0.06 ml, 3.7 ml and 58 ml fall into the three classes of size.
    scale = {"medium": 4.0, "large": 10.0}.get(metric.name.rpartition("_")[2], 1.0)
    spacing = (3.0 * scale, 0.8 * scale, 0.5 * scale)
    found = score_pair(REFERENCE, PREDICTED, spacing)
    assert metric.direction in {-1, 0, 1}
    assert metric.empty
    assert np.isfinite(found[metric.name])
    perfect, poor = score_pair(REFERENCE, REFERENCE, spacing)[metric.name], found[metric.name]
    assert metric.direction * (perfect - poor) >= 0
    assert set(found) == {*METRICS, *COUNTS}


SIZED = {name for name in METRICS if name.endswith(("_small", "_medium", "_large"))}


@pytest.mark.parametrize(
    ("reference", "predicted", "expected"),
    [
        (EMPTY, EMPTY, {"lesion_recall": NAN, "lesion_precision": NAN, "lesion_f1": NAN, "lesion_dice": NAN,
                        "panoptic_quality": 1.0, "n_false_positive_lesions": 0.0, "brats_lesion_dice": 1.0,
                        "brats_lesion_hd95_mm": 0.0, "relative_volume_error": NAN, "volume_error_ml": 0.0}),
        (EMPTY, SINGLE, {"lesion_recall": 0.0, "lesion_precision": 0.0, "lesion_f1": 0.0, "lesion_dice": 0.0,
                         "panoptic_quality": 0.0, "n_false_positive_lesions": 1.0, "brats_lesion_dice": 0.0,
                         "brats_lesion_hd95_mm": 374.0, "dice": 0.0, "hd95_mm": math.inf,
                         "relative_volume_error": math.inf}),
        (SINGLE, EMPTY, {"lesion_recall": 0.0, "lesion_precision": 0.0, "lesion_f1": 0.0, "lesion_dice": 0.0,
                         "panoptic_quality": 0.0, "n_false_positive_lesions": 0.0, "relative_volume_error": -1.0,
                         "hd_mm": math.inf, "surface_dice_1mm": 0.0}),
        # A single voxel in the very corner of the image: it has a surface there.
        (SINGLE, SINGLE, {"dice": 1.0, "hd_mm": 0.0, "hd95_mm": 0.0, "assd_mm": 0.0, "surface_dice_1mm": 1.0,
                          "lesion_f1": 1.0, "lesion_dice": 1.0, "panoptic_quality": 1.0, "specificity": 1.0}),
        (FULL, FULL, {"dice": 1.0, "specificity": 1.0, "accuracy": 1.0, "hd_mm": 0.0, "panoptic_quality": 1.0,
                      "lesion_recall": 1.0, "brats_lesion_dice": 1.0, "brats_lesion_hd95_mm": 0.0}),
        (FULL, EMPTY, {"dice": 0.0, "specificity": 1.0, "accuracy": 0.0, "recall": 0.0, "lesion_recall": 0.0}),
        (EMPTY, FULL, {"dice": 0.0, "specificity": 0.0, "accuracy": 0.0, "precision": 0.0, "recall": 0.0}),
    ],
    ids=["both empty", "empty reference", "empty prediction", "single voxel at the corner", "all tumor", "all missed",
         "all made up"],
)  # fmt: skip
def test_the_stated_rule_holds_at_the_edges(reference: np.ndarray, predicted: np.ndarray, expected: dict) -> None:
    found = score_pair(reference, predicted, SPACING_MM)
    assert {name: found[name] for name in expected} == pytest.approx(expected, nan_ok=True)
    undefined = {name for name in METRICS if math.isnan(found[name])}
    # Of all lesions together nothing is undefined as soon as one mask has something; of a size only where neither has that size.
    assert not undefined - SIZED or not (reference.any() or predicted.any())
    assert all("undefined" in METRICS[name].empty for name in undefined)


def test_a_border_lesion_measures_as_it_would_inside() -> None:
    one, other = boxes(((0, 0, 0), (2, 4, 6))), boxes(((0, 0, 0), (2, 3, 6)))
    inside = [np.pad(mask, 3) for mask in (one, other)]
    at_border, away = score_pair(one, other, SPACING_MM), score_pair(*inside, SPACING_MM)
    same = [name for name in METRICS if name not in {"specificity", "accuracy"}]
    assert {name: at_border[name] for name in same} == pytest.approx({name: away[name] for name in same}, nan_ok=True)


def test_a_thing_is_measured_once_a_pair() -> None:
    measured = []

    def voxels_of_both(pair: MaskPair) -> int:
        measured.append(pair)
        return int((pair.reference & pair.predicted).sum())

    one, other = (MaskPair(REFERENCE, mask, SPACING_MM) for mask in (PREDICTED, REFERENCE))
    assert [one.once(voxels_of_both), one.once(voxels_of_both), other.once(voxels_of_both)] == [36, 36, 48]
    assert measured == [one, other]


def test_a_pair_is_cut_to_the_box_around_both_masks() -> None:
    pair = MaskPair(REFERENCE, PREDICTED, SPACING_MM)
    assert pair.reference.shape == pair.predicted.shape == (2, 5, 6)
    assert pair.n_outside == 9 * 11 * 13 - 2 * 5 * 6
    assert pair.voxel_ml == pytest.approx(1.2e-3)
    assert not pair.is_flat
    assert MaskPair(REFERENCE[2:3], PREDICTED[2:3], SPACING_MM).is_flat


def test_what_is_ignored_counts_as_if_it_had_been_cut_away():
    """Every metric and count of an image whose last columns are ignored is that of the image without them."""
    rng = np.random.default_rng(5)
    reference, predicted = rng.random((4, 20, 24)) < 0.1, rng.random((4, 20, 24)) < 0.1
    reference[1:3, 5:12, 4:10], predicted[1:3, 6:13, 5:11] = True, True
    reference[:, :, 14:17], predicted[:, :, 14:17] = False, False
    ignored = np.zeros(reference.shape, bool)
    ignored[:, :, 16:] = True
    whole = score_masks(reference, predicted, (3.0, 0.8, 0.5), ignored=ignored)
    cut = score_masks(reference[:, :, :16], predicted[:, :, :16], (3.0, 0.8, 0.5))
    of_the_image = {"image_diagonal_mm"}
    assert {k: v for k, v in whole.figures.items() if k not in of_the_image} == pytest.approx(
        {k: v for k, v in cut.figures.items() if k not in of_the_image}, nan_ok=True
    )
    assert whole.lesions == cut.lesions


def test_a_lesion_that_is_ignored_is_neither_missed_nor_made_up():
    reference, predicted = np.zeros((1, 9, 9), bool), np.zeros((1, 9, 9), bool)
    reference[0, 1:3, 1:3], predicted[0, 6:8, 6:8] = True, True
    figures = score_masks(reference, predicted, (1.0, 1.0, 1.0), ignored=reference | predicted).figures
    assert (figures["dice"], figures["tn"], figures["fp"], figures["fn"]) == (1.0, 73, 0, 0)
