"""Metrics against numbers counted by hand and against MONAI."""

import math

import numpy as np
import pytest
import torch
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

from lesionflow.metrics import COUNTS, METRICS, score_pair

SPACING = (3.0, 0.8, 0.5)


def _box(
    low: tuple[int, int, int], high: tuple[int, int, int], shape: tuple[int, int, int] = (9, 11, 13)
) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


REFERENCE = _box((2, 2, 2), (4, 6, 8))  # 2 x 4 x 6 = 48 voxels
PREDICTED = _box((2, 3, 2), (4, 7, 8))  # shifted by one row: 36 in both


def test_overlap_counted_by_hand() -> None:
    found = score_pair(REFERENCE, PREDICTED, SPACING)
    assert (found["tp"], found["fp"], found["fn"], found["tn"]) == (36, 12, 12, 9 * 11 * 13 - 60)
    assert found["dice"] == pytest.approx(72 / 96)
    assert found["iou"] == pytest.approx(36 / 60)
    assert found["precision"] == pytest.approx(36 / 48)
    assert found["recall"] == pytest.approx(36 / 48)
    assert found["specificity"] == pytest.approx(1227 / 1239)
    assert found["accuracy"] == pytest.approx(1263 / 1287)


def test_volumes_counted_by_hand() -> None:
    found = score_pair(REFERENCE, _box((2, 2, 2), (4, 6, 5)), SPACING)
    assert found["reference_ml"] == pytest.approx(48 * 1.2e-3)
    assert found["volume_error_ml"] == pytest.approx(-24 * 1.2e-3)
    assert found["absolute_volume_error_ml"] == pytest.approx(24 * 1.2e-3)
    assert found["relative_volume_error"] == pytest.approx(-0.5)


def test_a_shift_by_one_row_is_a_hausdorff_distance_of_one_row() -> None:
    found = score_pair(REFERENCE, PREDICTED, SPACING)
    assert found["hd_mm"] == pytest.approx(0.8)
    assert found["surface_dice_2mm"] == 1.0


def test_a_shift_by_one_slice_lies_outside_the_tolerance() -> None:
    found = score_pair(_box((2, 2, 2), (3, 4, 4)), _box((3, 2, 2), (4, 4, 4)), SPACING)
    assert found["hd95_mm"] == found["assd_mm"] == found["hd_mm"] == pytest.approx(3.0)
    assert found["surface_dice_2mm"] == 0.0


@pytest.mark.filterwarnings("ignore")
def test_surface_metrics_equal_monai() -> None:
    random = np.random.default_rng(2)
    one, other = (random.random((7, 12, 9)) > 0.9 for _ in range(2))
    # MONAI measures on edges inside the crop; a margin keeps its border rule out of the comparison.
    one, other = np.pad(one, 2), np.pad(other, 2)
    ours = score_pair(one, other, SPACING)
    as_batch = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (other, one)]
    theirs = compute_hausdorff_distance(*as_batch, include_background=True, percentile=95, spacing=SPACING)
    assert ours["hd95_mm"] == pytest.approx(float(theirs), abs=1e-4)
    whole = compute_hausdorff_distance(*as_batch, include_background=True, spacing=SPACING)
    assert ours["hd_mm"] == pytest.approx(float(whole), abs=1e-4)
    mean = compute_average_surface_distance(*as_batch, include_background=True, symmetric=True, spacing=SPACING)
    assert ours["assd_mm"] == pytest.approx(float(mean), abs=1e-4)


def test_lesions_are_found_missed_and_made_up() -> None:
    reference = _box((0, 0, 0), (2, 2, 2)) | _box((6, 6, 6), (8, 8, 8))
    predicted = _box((1, 1, 1), (3, 3, 3)) | _box((0, 9, 9), (1, 10, 10)) | _box((0, 9, 0), (1, 10, 1))
    found = score_pair(reference, predicted, SPACING)
    assert found["lesion_recall"] == 0.5
    assert found["lesion_precision"] == pytest.approx(1 / 3)
    assert found["n_false_positive_lesions"] == 2


@pytest.mark.parametrize(
    ("reference", "predicted", "dice", "recall", "precision"),
    [
        (np.zeros_like(REFERENCE), np.zeros_like(REFERENCE), 1.0, 1.0, 1.0),
        (np.zeros_like(REFERENCE), PREDICTED, 0.0, 0.0, 0.0),
        (REFERENCE, np.zeros_like(REFERENCE), 0.0, 0.0, 0.0),
    ],
)
def test_empty_masks_follow_the_stated_rule(
    reference: np.ndarray, predicted: np.ndarray, dice: float, recall: float, precision: float
) -> None:
    found = score_pair(reference, predicted, SPACING)
    assert (found["dice"], found["recall"], found["precision"]) == (dice, recall, precision)
    for name in ("hd_mm", "hd95_mm", "assd_mm", "surface_dice_2mm"):
        assert math.isnan(found[name])


def test_a_lesion_at_the_border_has_a_surface_there() -> None:
    whole = np.ones((3, 4, 5), bool)
    found = score_pair(whole, whole, SPACING)
    assert (found["dice"], found["hd_mm"], found["specificity"]) == (1.0, 0.0, 1.0)


def test_masks_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        score_pair(REFERENCE, REFERENCE[1:], SPACING)


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
