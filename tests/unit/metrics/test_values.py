"""One table for every metric: its value on a pair of masks, by hand, and for empty masks; and that it keeps its bounds.

A new entry of METRICS fails here by name until it has a row.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionflow.metrics import COLUMNS, METRICS, score_masks
from lesionflow.metrics.pair import MaskPair
from support.masks import PREDICTED, REFERENCE, SPACING_MM, Corner, box, boxes

NAN, INF = math.nan, math.inf
#: Rounding of sums and quotients of few numbers.
ROUNDING = 1e-12


class Pair(NamedTuple):
    reference: np.ndarray
    predicted: np.ndarray
    spacing_mm: tuple[float, float, float]


class Row(NamedTuple):
    """A metric by hand: of the pair, with both masks emptied, with the reference emptied, with the prediction emptied."""

    pair: Pair
    value: float
    both_empty: float
    empty_reference: float
    empty_prediction: float


def _voxels(*places: Corner, shape: Corner) -> np.ndarray:
    return boxes(*((place, tuple(n + 1 for n in place)) for place in places), shape=shape)


# 48 and 42 of 1287 voxels, 36 in both: 6 made up, 12 missed, 1233 in neither. A voxel has 0.0012 ml.
BOXES = Pair(box((2, 2, 2), (4, 6, 8)), box((2, 3, 2), (4, 6, 9)), SPACING_MM)

# Ten single voxels, all found; one made up two rows beside the first, one two slices above the last. A voxel's surface has
# eight elements, equal by symmetry: of the first's eight, four lie 0.8 mm from the reference and four 1.6 mm; of the
# second's, 3 mm and 6 mm; all others lie on it. 80 elements of the reference and 96 of the prediction.
_TEN = [(1, 2, 2 + 4 * n) for n in range(10)]
_SHAPE = (5, 7, 41)
VOXELS = Pair(_voxels(*_TEN, shape=_SHAPE), _voxels(*_TEN, (1, 4, 2), (3, 2, 38), shape=_SHAPE), SPACING_MM)

# Three lesions, of which two are found; four predicted ones, of which three are real.
LESIONS = Pair(REFERENCE, PREDICTED, SPACING_MM)
# Besides, three of four rows of the first are outlined: 36 of 48 voxels, IoU 0.75. Of the second neither part exceeds a half.
LARGER = Pair(REFERENCE, PREDICTED | boxes(((0, 2, 0), (2, 3, 6))), SPACING_MM)


def _bars(lengths: dict[int, int]) -> np.ndarray:
    """Lesions of some length, each in its own row."""
    return boxes(*(((0, row, 0), (1, row + 1, n)) for row, n in lengths.items()), shape=(2, 37, 13))


# Voxels of 0.9 ml: one is small, two are medium (1.8 ml), twelve are large (10.8 ml). Found are two of three small, one of
# two medium, three of four large; made up besides are three small, three medium, two large.
_FOUND = {0: 1, 2: 1, 6: 2, 10: 12, 12: 12, 14: 12}
_MISSED, _MADE_UP = {4: 1, 8: 2, 16: 12}, {20: 1, 22: 1, 24: 1, 26: 2, 28: 2, 30: 2, 32: 12, 34: 12}
SIZES = Pair(_bars(_FOUND | _MISSED), _bars(_FOUND | _MADE_UP), (3.0, 10.0, 30.0))

# Voxels of 1 mm: one lesion of 80 mm3 found but for its last column, 64 mm3; one missed; one made up far away.
BRATS = Pair(
    boxes(((0, 0, 0), (4, 4, 5)), ((0, 20, 0), (4, 24, 6)), shape=(25, 30, 35)),
    boxes(((0, 0, 0), (4, 4, 4)), ((20, 20, 20), (24, 23, 24)), shape=(25, 30, 35)),
    (1.0, 1.0, 1.0),
)

ROWS = {
    "dice": Row(BOXES, 2 * 36 / (48 + 42), 1, 0, 0),
    "iou": Row(BOXES, 36 / 54, 1, 0, 0),
    "precision": Row(BOXES, 36 / 42, 1, 0, 0),
    "recall": Row(BOXES, 36 / 48, 1, 0, 0),
    "specificity": Row(BOXES, 1233 / 1239, 1, (1287 - 42) / 1287, 1),
    "accuracy": Row(BOXES, (36 + 1233) / 1287, 1, (1287 - 42) / 1287, (1287 - 48) / 1287),
    "volume_error_ml": Row(BOXES, -6 * 0.0012, 0, 42 * 0.0012, -48 * 0.0012),
    "absolute_volume_error_ml": Row(BOXES, 6 * 0.0012, 0, 42 * 0.0012, 48 * 0.0012),
    "relative_volume_error": Row(BOXES, -6 / 48, NAN, INF, -1),
    "hd_mm": Row(VOXELS, 6.0, NAN, INF, INF),
    # 92 of 96 elements lie within 3 mm, 88 within 1.6 mm: 95 % are 91.2.
    "hd95_mm": Row(VOXELS, 3.0, NAN, INF, INF),
    "assd_mm": Row(VOXELS, 4 * (0.8 + 1.6 + 3.0 + 6.0) / 176, NAN, INF, INF),
    "surface_dice_1mm": Row(VOXELS, (80 + 84) / 176, NAN, 0, 0),
    "surface_dice_2mm": Row(VOXELS, (80 + 88) / 176, NAN, 0, 0),
    "surface_dice_5mm": Row(VOXELS, (80 + 92) / 176, NAN, 0, 0),
    "lesion_recall": Row(LESIONS, 2 / 3, NAN, 0, 0),
    "lesion_recall_small": Row(SIZES, 2 / 3, NAN, 0, 0),
    "lesion_recall_medium": Row(SIZES, 1 / 2, NAN, 0, 0),
    "lesion_recall_large": Row(SIZES, 3 / 4, NAN, 0, 0),
    "lesion_precision": Row(LESIONS, 3 / 4, NAN, 0, 0),
    "lesion_precision_small": Row(SIZES, 2 / 5, NAN, 0, 0),
    "lesion_precision_medium": Row(SIZES, 1 / 4, NAN, 0, 0),
    "lesion_precision_large": Row(SIZES, 3 / 5, NAN, 0, 0),
    "lesion_f1": Row(LESIONS, 2 * (2 / 3) * (3 / 4) / (2 / 3 + 3 / 4), NAN, 0, 0),
    # 24 of 48 voxels of the first, 80 of 96 of the second, none of the third.
    "lesion_dice": Row(LESIONS, (48 / 72 + 160 / 176 + 0) / 3, NAN, 0, 0),
    "n_false_positive_lesions": Row(LESIONS, 1, 0, 4, 0),
    "panoptic_quality": Row(LARGER, 0.75 / ((3 + 4) / 2), 1, 0, 0),
    "brats_lesion_dice": Row(BRATS, (2 * 64 / 144 + 0 + 0) / 3, 1, 0, 0),
    # A column is 1 mm wide, and its side is more than a twentieth of the surface.
    "brats_lesion_hd95_mm": Row(BRATS, (1 + 374 + 374) / 3, 0, 374, 374),
}


def row_of(name: str) -> Row:
    if name not in ROWS:
        pytest.fail(
            f"Expected a row for the metric {name} in ROWS of tests/unit/metrics/test_values.py, found none: add the value "
            "that it has on a pair of masks, by hand, and what it gives when both masks, the reference and the prediction "
            "are empty."
        )
    return ROWS[name]


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_its_value_by_hand(name: str) -> None:
    row = row_of(name)
    assert METRICS[name].of(MaskPair(*row.pair)) == pytest.approx(row.value, rel=ROUNDING)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_says_of_empty_masks_what_it_gives(name: str) -> None:
    row, metric = row_of(name), METRICS[name]
    ours, theirs, spacing_mm = row.pair
    nothing = np.zeros_like(ours)
    pairs = ((nothing, nothing), (nothing, theirs), (ours, nothing))
    found = [metric.of(MaskPair(*masks, spacing_mm)) for masks in pairs]
    expected = [row.both_empty, row.empty_reference, row.empty_prediction]
    assert found == pytest.approx(expected, rel=ROUNDING, nan_ok=True)
    assert any(map(math.isnan, expected)) == ("undefined" in metric.empty), (
        f"Expected `empty` of {name} to say where it is undefined, and only there, found {metric.empty!r}."
    )


def test_every_row_is_of_a_metric() -> None:
    left = sorted(set(ROWS) - set(METRICS))
    assert not left, f"Expected a metric for each row of ROWS, found none for {left}: add it, or take its row away."


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_bounds_a_direction_and_a_sentence(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.lower < metric.upper, f"Expected bounds of {name}, the lower first; -inf or inf where there are none."
    assert metric.direction in {-1, 0, 1}
    assert metric.empty
    value = row_of(name).value
    assert metric.lower <= value <= metric.upper, (
        f"Expected {name} in its bounds {metric.lower}..{metric.upper}, found {value} by hand."
    )


_SIZES = st.tuples(*[st.integers(1, 7)] * 3)
_SPACINGS = st.tuples(*[st.floats(0.1, 12.0)] * 3)


@given(
    shape=_SIZES,
    spacing_mm=_SPACINGS,
    seed=st.integers(0, 2**16),
    shares=st.tuples(*[st.sampled_from([0, 0.2, 1])] * 2),
)
def test_no_metric_leaves_its_bounds(shape, spacing_mm, seed, shares) -> None:
    random = np.random.default_rng(seed)
    pair = MaskPair(*(random.random(shape) < share for share in shares), spacing_mm)
    for name, metric in METRICS.items():
        value = metric.of(pair)
        within = metric.lower - ROUNDING <= value <= metric.upper + ROUNDING
        assert within or (math.isnan(value) and "undefined" in metric.empty), (
            f"Expected {name} in {metric.lower}..{metric.upper}, found {value}."
        )


#: In this order estimates stand in `metrics.json`; files of two versions can be laid side by side.
ORDER = (
    "dice", "iou", "precision", "recall", "specificity", "accuracy", "volume_error_ml", "absolute_volume_error_ml",
    "relative_volume_error", "hd_mm", "hd95_mm", "assd_mm", "surface_dice_1mm", "surface_dice_2mm", "surface_dice_5mm",
    "lesion_recall", "lesion_recall_small", "lesion_recall_medium", "lesion_recall_large", "lesion_precision",
    "lesion_precision_small", "lesion_precision_medium", "lesion_precision_large", "lesion_f1", "lesion_dice",
    "n_false_positive_lesions", "panoptic_quality", "brats_lesion_dice", "brats_lesion_hd95_mm",
)  # fmt: skip


def test_metrics_stand_in_the_order_of_the_files_on_disk_and_new_ones_behind() -> None:
    assert tuple(METRICS)[: len(ORDER)] == ORDER


def test_figures_stand_in_the_order_of_cases_csv_and_new_ones_behind() -> None:
    found = score_masks(*LESIONS).figures
    assert tuple(found)[: len(COLUMNS)] == COLUMNS
    assert tuple(found)[len(COLUMNS) :] == tuple(name for name in METRICS if name not in COLUMNS)
    assert tuple(BEFORE) == COLUMNS[: len(BEFORE)]


def test_the_figures_of_random_masks_stay_what_they_were() -> None:
    """Taken before metrics became one table; bit for bit on the same machine, to the last digits of sums elsewhere."""
    random = np.random.default_rng(11)
    reference = random.random((7, 13, 17)) < 0.04
    predicted = reference ^ (random.random(reference.shape) < 0.02)
    found = score_masks(reference, predicted, (2.1, 0.9, 0.7)).figures
    assert {name: found[name] for name in BEFORE} == pytest.approx(BEFORE, rel=ROUNDING, nan_ok=True)
    # 7 x 2.1, 13 x 0.9 and 17 x 0.7 mm.
    assert found["image_diagonal_mm"] == pytest.approx(math.sqrt(14.7**2 + 11.7**2 + 11.9**2))


BEFORE = {
    "dice": 0.7973856209150327,
    "iou": 0.6630434782608695,
    "precision": 0.6853932584269663,
    "recall": 0.953125,
    "specificity": 0.9811193526635199,
    "accuracy": 0.9799612152553329,
    "tp": 61.0,
    "fp": 28.0,
    "fn": 3.0,
    "tn": 1455.0,
    "reference_ml": 0.084672,
    "predicted_ml": 0.11774699999999999,
    "volume_error_ml": 0.03307499999999999,
    "absolute_volume_error_ml": 0.03307499999999999,
    "relative_volume_error": 0.39062499999999994,
    "hd_mm": 4.167733196834941,
    "hd95_mm": 2.389560629069704,
    "assd_mm": 0.2720653718282885,
    "surface_dice_1mm": 0.8825047181538405,
    "surface_dice_2mm": 0.940642240547484,
    "surface_dice_5mm": 1.0,
    "lesion_recall": 0.9743589743589743,
    "lesion_precision": 0.7708333333333334,
    "lesion_f1": 0.8607284970921334,
    "lesion_dice": 0.8626466126466127,
    "n_false_positive_lesions": 11.0,
    "panoptic_quality": 0.6203065134099617,
    "n_reference_lesions": 39.0,
    "n_predicted_lesions": 48.0,
    "lesion_recall_small": 0.9743589743589743,
    "lesion_precision_small": 0.7708333333333334,
    "lesion_recall_medium": NAN,
    "lesion_precision_medium": NAN,
    "lesion_recall_large": NAN,
    "lesion_precision_large": NAN,
    "brats_lesion_dice": 0.7973856209150327,
    "brats_lesion_hd95_mm": 2.389560629069704,
}
