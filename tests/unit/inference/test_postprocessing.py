"""From probabilities to labels, by hand."""

import numpy as np
import pytest

from lesionflow.data.calibration import MaskRules
from lesionflow.data.dataset import Target
from lesionflow.data.plan import InferencePlan
from lesionflow.inference.postprocessing import above_threshold, tidy, to_labels

#: A voxel of 0.001 ml.
CUBE_MM = (1.0, 1.0, 1.0)


def _rules(**changes: object) -> MaskRules:
    rules = {"probability_threshold": 0.5, "min_lesion_ml": 0.0, "fill_holes": False, **changes}
    return MaskRules.model_validate(rules)


def _labels(probabilities: np.ndarray, targets: tuple[Target, ...]) -> list[int]:
    present = above_threshold(probabilities[:, None, None], targets, 0.5)
    return to_labels(present, targets, _rules(), CUBE_MM).ravel().tolist()


def test_regions_are_written_widest_first() -> None:
    targets = (
        Target(name="WT", labels=(1, 2, 4)),
        Target(name="TC", labels=(1, 4)),
        Target(name="ET", labels=(4,)),
    )
    probabilities = np.array([[0.9, 0.9, 0.9, 0.1], [0.1, 0.9, 0.9, 0.9], [0.1, 0.1, 0.9, 0.9]], np.float32)
    # The last voxel is core without being whole tumor: a contradiction, so nothing is written.
    assert _labels(probabilities, targets) == [2, 1, 4, 0]


def test_of_two_labels_the_more_probable_wins() -> None:
    targets = (Target(name="a", labels=(1,)), Target(name="b", labels=(7,)))
    probabilities = np.array([[0.9, 0.6, 0.4], [0.6, 0.8, 0.3]], np.float32)
    assert _labels(probabilities, targets) == [1, 7, 0]


def test_small_lesions_go_and_holes_are_filled() -> None:
    mask = np.zeros((5, 9, 9), bool)
    mask[1:4, 1:4, 1:4] = True
    mask[2, 2, 2] = False
    mask[0, 8, 8] = True
    found = tidy(mask, _rules(min_lesion_ml=0.002, fill_holes=True), CUBE_MM)
    assert found[2, 2, 2]
    assert not found[0, 8, 8]
    assert found.sum() == 27
    assert mask.sum() == 27
    assert tidy(mask, _rules(), CUBE_MM).sum() == 27


def test_the_smallest_lesion_is_measured_in_ml() -> None:
    mask = np.zeros((5, 7, 11), bool)
    mask[1, 2, 3:5] = True  # 2 voxels of 3.0 x 0.8 x 0.5 mm are 0.0024 ml
    spacing_mm = (3.0, 0.8, 0.5)
    assert tidy(mask, _rules(min_lesion_ml=0.0023), spacing_mm).any()
    assert not tidy(mask, _rules(min_lesion_ml=0.0025), spacing_mm).any()


def test_only_the_largest_lesion_stays() -> None:
    mask = np.zeros((5, 9, 13), bool)
    mask[1:3, 1:3, 1:3] = True
    mask[1:3, 1:4, 7:10] = True
    found = tidy(mask, _rules(largest_only=True), CUBE_MM)
    assert found.sum() == 18
    assert not found[:, :, :5].any()


def test_the_surest_lesion_stays_not_the_largest() -> None:
    mask = np.zeros((5, 9, 13), bool)
    mask[1:3, 1:3, 1:3] = True
    mask[1:3, 1:4, 7:10] = True
    sure = np.zeros_like(mask)
    sure[1, 1:3, 1:3] = True  # four voxels of the smaller one, three of the larger
    sure[1, 1, 7:10] = True
    found = tidy(mask, _rules(surest_only=True), CUBE_MM, sure=sure)
    assert found.sum() == 8
    assert found[1:3, 1:3, 1:3].all()


@pytest.mark.parametrize("sure", [(), (slice(1, 3), slice(1, 3), 1)])
def test_of_equally_sure_lesions_the_larger_stays(sure) -> None:
    mask = np.zeros((5, 9, 13), bool)
    mask[1:3, 1:3, 1:3] = True
    mask[1:3, 1:4, 7:10] = True
    here = np.zeros_like(mask)
    if sure:
        here[sure] = True
        here[1:3, 1:3, 9] = True
    assert tidy(mask, _rules(surest_only=True), CUBE_MM, sure=here).sum() == 18


def test_the_surest_lesion_can_not_be_told_without_probabilities() -> None:
    mask = np.ones((3, 4, 5), bool)
    with pytest.raises(ValueError, match="sure"):
        tidy(mask, _rules(surest_only=True), CUBE_MM)


def test_what_lies_outside_the_body_goes() -> None:
    mask = np.zeros((5, 7, 11), bool)
    mask[1:4, 2:5, 3:9] = True
    body = np.zeros_like(mask)
    body[:, :, :6] = True
    found = tidy(mask, _rules(inside_body=True), CUBE_MM, lambda box: body[box])
    np.testing.assert_array_equal(found, mask & body)
    with pytest.raises(ValueError, match="body"):
        tidy(mask, _rules(inside_body=True), CUBE_MM)


def test_smoothing_in_mm_takes_a_spike_and_leaves_a_plane_where_it_was() -> None:
    mask = np.zeros((7, 21, 30), bool)
    mask[:, :, :15] = True
    mask[3, 10, 15:22] = True
    # 1.2 mm is 0.4 of a slice, 1.5 rows, 2.4 columns.
    found = tidy(mask, _rules(smoothing_mm=1.2), (3.0, 0.8, 0.5))
    assert not found[:, :, 17:].any()
    assert found[:, :, :15].all()
    np.testing.assert_array_equal(tidy(mask, _rules(), CUBE_MM), mask)


def test_nothing_stays_nothing() -> None:
    rules = _rules(min_lesion_ml=1.0, fill_holes=True, smoothing_mm=2.0, largest_only=True)
    assert not tidy(np.zeros((3, 4, 5), bool), rules, CUBE_MM).any()


def test_the_rules_of_params_stand_where_nothing_was_fitted() -> None:
    plan = InferencePlan(
        overlap_fraction=0.25, flip_axes=(), probability_threshold=0.4, min_lesion_ml=0.3, fill_holes=True
    )
    expected = MaskRules(probability_threshold=0.4, min_lesion_ml=0.3, fill_holes=True)
    assert MaskRules.of_plan(plan) == expected
    assert not any((expected.largest_only, expected.inside_body, expected.smoothing_mm))
