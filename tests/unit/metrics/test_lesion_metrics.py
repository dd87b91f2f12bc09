"""Metrics by lesion against numbers counted by hand, MONAI, scikit-learn and a plain voxel-by-voxel BraTS rule."""

import math

import numpy as np
import pytest
import torch
from monai.metrics.panoptic_quality import compute_panoptic_quality
from scipy import ndimage
from sklearn.metrics import f1_score

from lesionflow.metrics import METRICS, score_masks, score_pair
from lesionflow.metrics.detection import detect
from lesionflow.metrics.lesion import size_class

SPACING = (3.0, 0.8, 0.5)
SHAPE = (13, 17, 23)


def _boxes(*corners: tuple[tuple[int, int, int], tuple[int, int, int]], shape: tuple[int, int, int] = SHAPE):
    mask = np.zeros(shape, bool)
    for low, high in corners:
        mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


# Three lesions: one outlined half, one split in two predictions, one missed; and one made up.
REFERENCE = _boxes(((0, 0, 0), (2, 4, 6)), ((6, 0, 0), (8, 4, 12)), ((11, 14, 20), (13, 17, 23)))
PREDICTED = _boxes(((0, 0, 0), (2, 2, 6)), ((6, 0, 0), (8, 4, 4)), ((6, 0, 6), (8, 4, 12)), ((2, 14, 0), (3, 15, 1)))


def test_lesions_counted_by_hand() -> None:
    found = score_pair(REFERENCE, PREDICTED, SPACING)
    assert (found["n_reference_lesions"], found["n_predicted_lesions"]) == (3, 4)
    assert found["lesion_recall"] == pytest.approx(2 / 3)
    assert found["lesion_precision"] == pytest.approx(3 / 4)
    assert found["lesion_f1"] == pytest.approx(2 * (2 / 3) * (3 / 4) / (2 / 3 + 3 / 4))
    assert found["n_false_positive_lesions"] == 1
    # Half of the first: 2 * 24 / (48 + 24). Ten of twelve columns of the second: 2 * 80 / (96 + 80). None of the third.
    assert found["lesion_dice"] == pytest.approx((48 / 72 + 160 / 176 + 0) / 3)


def test_each_lesion_has_its_volume_and_dice() -> None:
    lesions = score_masks(REFERENCE, PREDICTED, SPACING).lesions
    assert [lesion.kind for lesion in lesions] == ["reference"] * 3 + ["predicted"] * 4
    voxel_ml = 3.0 * 0.8 * 0.5 / 1000
    assert [lesion.volume_ml for lesion in lesions[:3]] == pytest.approx([48 * voxel_ml, 96 * voxel_ml, 18 * voxel_ml])
    assert [lesion.matched for lesion in lesions] == [True, True, False, True, False, True, True]
    assert sorted(lesion.dice for lesion in lesions[3:]) == pytest.approx([0, 2 * 32 / 128, 2 * 24 / 72, 2 * 48 / 144])


def test_panoptic_quality_by_hand_and_as_monai() -> None:
    # Neither half of the second reaches more than half of its union but the larger (48 of 96 does not: it must exceed).
    found = score_pair(REFERENCE, PREDICTED, SPACING)["panoptic_quality"]
    assert found == 0.0
    larger = PREDICTED | _boxes(((0, 2, 0), (2, 3, 6)))  # three of four rows of the first: IoU 36/48
    assert score_pair(REFERENCE, larger, SPACING)["panoptic_quality"] == pytest.approx(0.75 / 3.5)
    random = np.random.default_rng(3)
    one = ndimage.binary_dilation(random.random(SHAPE) > 0.99)
    other = one ^ (random.random(SHAPE) > 0.97)
    labels = [ndimage.label(mask, np.ones((3, 3, 3)))[0] for mask in (other, one)]
    theirs = compute_panoptic_quality(*(torch.from_numpy(label.astype(np.int32)) for label in labels))
    assert score_pair(one, other, SPACING)["panoptic_quality"] == pytest.approx(float(theirs), abs=1e-5)
    assert float(theirs) > 0.1


def test_dice_is_the_f1_score_of_scikit_learn() -> None:
    assert score_pair(REFERENCE, PREDICTED, SPACING)["dice"] == pytest.approx(
        f1_score(REFERENCE.ravel(), PREDICTED.ravel())
    )


def test_size_classes_are_of_millilitres() -> None:
    assert [size_class(ml) for ml in (0.0, 0.999, 1.0, 9.99, 10.0, 500.0)] == [
        "small", "small", "medium", "medium", "large", "large",
    ]  # fmt: skip
    # 10 mm voxels: 1 ml each. One voxel is medium, twelve are large; nothing is small.
    reference = _boxes(((0, 0, 0), (1, 1, 1)), ((4, 4, 4), (5, 7, 8)))
    predicted = _boxes(((4, 4, 4), (5, 7, 8)), ((9, 9, 9), (10, 10, 10)))
    found = score_pair(reference, predicted, (10.0, 10.0, 10.0))
    assert (found["lesion_recall_medium"], found["lesion_recall_large"]) == (0.0, 1.0)
    assert (found["lesion_precision_medium"], found["lesion_precision_large"]) == (0.0, 1.0)
    assert math.isnan(found["lesion_recall_small"])
    assert math.isnan(found["lesion_precision_small"])


def _brats_plainly(reference: np.ndarray, predicted: np.ndarray, spacing: tuple[float, float, float]) -> float:
    """Write the published rule out over whole images, lesion by lesion."""
    step, whole = ndimage.generate_binary_structure(3, 2), np.ones((3, 3, 3))
    theirs, _ = ndimage.label(predicted, whole)
    groups, n_groups = ndimage.label(ndimage.binary_dilation(reference, step, iterations=3), whole)
    dice, used = [], set()
    for group in range(1, n_groups + 1):
        lesion = reference & (groups == group)
        around = ndimage.binary_dilation(lesion, step, iterations=3)
        partners = {int(n) for n in np.unique(theirs[around])} - {0}
        used |= partners
        if lesion.sum() * np.prod(spacing) <= 50:
            continue
        mine = np.isin(theirs, list(partners))
        dice.append(2 * (lesion & mine).sum() / (lesion.sum() + mine.sum()))
    n_false = theirs.max() - len(used)
    return sum(dice) / (len(dice) + n_false) if len(dice) + n_false else 1.0


@pytest.mark.parametrize("seed", range(6))
def test_the_brats_rule_is_the_published_one(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (19, 31, 37)
    one, other = (ndimage.binary_dilation(random.random(shape) > 0.9994, iterations=2) for _ in range(2))
    predicted = (one & (random.random(shape) > 0.3)) | other
    spacing = (1.2, 1.0, 1.1)
    found = score_pair(one, predicted, spacing)["brats_lesion_dice"]
    assert found == pytest.approx(_brats_plainly(one, predicted, spacing))
    assert 0 < found < 1


def test_the_brats_rule_by_hand() -> None:
    # One lesion of 64 mm3 found whole; one missed; one made up far away: Dice (1 + 0 + 0) / 3, HD95 (0 + 2 * 374) / 3.
    shape = (30, 30, 30)
    reference = _boxes(((0, 0, 0), (4, 4, 4)), ((0, 20, 0), (4, 24, 4)), shape=shape)
    predicted = _boxes(((0, 0, 0), (4, 4, 4)), ((20, 20, 20), (24, 24, 24)), shape=shape)
    found = score_pair(reference, predicted, (1.0, 1.0, 1.0))
    assert found["brats_lesion_dice"] == pytest.approx(1 / 3)
    assert found["brats_lesion_hd95_mm"] == pytest.approx(2 * 374 / 3)
    # Two pieces six voxels apart count as one lesion; 27 mm3 alone would not count at all.
    pieces = _boxes(((0, 0, 0), (3, 3, 3)), ((0, 0, 8), (3, 3, 11)), shape=shape)
    found = score_pair(pieces, _boxes(((0, 0, 0), (3, 3, 3)), shape=shape), (1.0, 1.0, 1.0))
    assert found["brats_lesion_dice"] == pytest.approx(2 * 27 / (54 + 27))
    alone = _boxes(((0, 0, 0), (3, 3, 3)), shape=shape)
    assert score_pair(alone, np.zeros(shape, bool), (1.0, 1.0, 1.0))["brats_lesion_dice"] == 1.0


EMPTY, SINGLE, FULL = np.zeros(SHAPE, bool), _boxes(((12, 16, 22), (13, 17, 23))), np.ones(SHAPE, bool)
NAN = math.nan


@pytest.mark.parametrize(
    ("reference", "predicted", "expected"),
    [
        (EMPTY, EMPTY, {"lesion_recall": NAN, "lesion_precision": NAN, "lesion_f1": NAN, "lesion_dice": NAN,
                        "panoptic_quality": 1.0, "n_false_positive_lesions": 0.0, "brats_lesion_dice": 1.0,
                        "brats_lesion_hd95_mm": 0.0, "relative_volume_error": NAN, "volume_error_ml": 0.0}),
        (EMPTY, SINGLE, {"lesion_recall": NAN, "lesion_precision": 0.0, "lesion_f1": 0.0, "lesion_dice": NAN,
                         "panoptic_quality": 0.0, "n_false_positive_lesions": 1.0, "brats_lesion_dice": 0.0,
                         "brats_lesion_hd95_mm": 374.0, "dice": 0.0, "hd95_mm": NAN}),
        (SINGLE, EMPTY, {"lesion_recall": 0.0, "lesion_precision": NAN, "lesion_f1": 0.0, "lesion_dice": 0.0,
                         "panoptic_quality": 0.0, "n_false_positive_lesions": 0.0, "relative_volume_error": -1.0,
                         "hd_mm": NAN, "surface_dice_1mm": NAN}),
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
    found = score_pair(reference, predicted, SPACING)
    assert {name: found[name] for name in expected} == pytest.approx(expected, nan_ok=True)
    undefined = {name for name in METRICS if math.isnan(found[name])}
    assert all("undefined" in METRICS[name].empty for name in undefined)


def test_surface_dice_at_three_tolerances_by_hand() -> None:
    # Two single voxels, two rows apart: their near sides lie 0.8 mm from the other, their far sides 1.6 mm.
    one, other = _boxes(((3, 4, 5), (4, 5, 6))), _boxes(((3, 6, 5), (4, 7, 6)))
    found = score_pair(one, other, SPACING)
    assert [found[f"surface_dice_{mm}mm"] for mm in (1, 2, 5)] == pytest.approx([0.5, 1.0, 1.0])
    assert found["hd_mm"] == pytest.approx(1.6)


def test_a_border_lesion_measures_as_it_would_inside() -> None:
    one, other = _boxes(((0, 0, 0), (2, 4, 6))), _boxes(((0, 0, 0), (2, 3, 6)))
    inside = [np.pad(mask, 3) for mask in (one, other)]
    at_border, away = score_pair(one, other, SPACING), score_pair(*inside, SPACING)
    same = [name for name in METRICS if name not in {"specificity", "accuracy"}]
    assert {name: at_border[name] for name in same} == pytest.approx({name: away[name] for name in same}, nan_ok=True)


def test_detections_counted_by_hand_at_each_threshold() -> None:
    reference = _boxes(((0, 0, 0), (2, 4, 6)), ((6, 0, 0), (8, 4, 6)), ((11, 0, 0), (12, 2, 2)))
    probabilities = np.zeros(SHAPE, np.float32)
    probabilities[0, 0, 0], probabilities[1, 3, 5] = 0.95, 0.45
    probabilities[6, 0, 0] = 0.05  # below the lowest: not found at any threshold
    probabilities[11, 1, 1] = 0.35
    probabilities[4, 10:12, 10] = 0.65  # two voxels that touch no lesion,
    probabilities[4, 10:16, 11] = 0.25  # joined at 0.2
    probabilities[4, 15, 12] = 0.85  # with a third
    found = {one.threshold: one[1:] for one in detect(reference, probabilities)}
    assert found == {
        0.1: (3, 2, 1), 0.2: (3, 2, 1), 0.3: (3, 2, 2), 0.4: (3, 1, 2), 0.5: (3, 1, 2), 0.6: (3, 1, 2), 0.7: (3, 1, 1),
        0.8: (3, 1, 1), 0.9: (3, 1, 0), 0.95: (3, 1, 0), 0.99: (3, 0, 0),
    }  # fmt: skip
    large = {one.threshold: one[1:] for one in detect(reference, probabilities, min_voxels=2)}
    assert (large[0.2], large[0.3], large[0.7]) == ((3, 0, 1), (3, 0, 1), (3, 0, 0))
    assert {one[1:] for one in detect(EMPTY, np.zeros(SHAPE, np.float32))} == {(0, 0, 0)}
    with pytest.raises(ValueError, match="one shape"):
        detect(reference, probabilities[1:])


def test_at_its_threshold_a_mask_has_the_lesions_that_are_detected() -> None:
    random = np.random.default_rng(8)
    reference = ndimage.binary_dilation(random.random(SHAPE) > 0.995)
    probabilities = ndimage.gaussian_filter(reference + 0.8 * random.random(SHAPE), 0.7).astype(np.float32).clip(0, 1)
    mask = score_pair(reference, probabilities >= 0.7, SPACING)
    detection = next(one for one in detect(reference, probabilities) if one.threshold == 0.7)
    assert detection.n_lesions == mask["n_reference_lesions"] > 2
    assert detection.n_found / detection.n_lesions == pytest.approx(mask["lesion_recall"])
    assert detection.n_false_alarms == mask["n_false_positive_lesions"]
