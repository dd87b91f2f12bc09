"""The identity goes through crop, patches, flips, blending and resampling unchanged."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry
from lesionflow.data.plan import InferencePlan
from lesionflow.inference.patches import flip_combinations, patch_boxes, predict_patches, predict_slices
from lesionflow.inference.postprocessing import tidy, to_labels
from lesionflow.preprocessing.orientation import find_orientation, reorient, undo_reorient

CPU = torch.device("cpu")
#: Sigmoid and its inverse in float32.
SIGMOID_TOLERANCE = 1e-5


def _probabilities(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(5).uniform(0.05, 0.95, size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(5, 7, 11), (9, 20, 33), (40, 6, 18)])
@pytest.mark.parametrize("flips", [(), (0, 1, 2)])
def test_the_identity_in_3d(shape: tuple[int, int, int], flips: tuple[int, ...]) -> None:
    image = _probabilities((2, *shape))
    found = predict_patches(
        torch.logit, image, patch_size=(8, 12, 16), overlap_fraction=0.5, n_targets=2, flip_axes=flips, device=CPU
    )
    np.testing.assert_allclose(found, image, atol=SIGMOID_TOLERANCE)


@pytest.mark.parametrize("n_context", [1, 3, 5])
@pytest.mark.parametrize("flips", [(), (1, 2)])
def test_the_identity_of_the_middle_slice_in_2d(n_context: int, flips: tuple[int, ...]) -> None:
    image = _probabilities((2, 7, 13, 10))

    def middle(batch: torch.Tensor) -> torch.Tensor:
        return torch.logit(batch[:, n_context // 2 :: n_context])

    found = predict_slices(
        middle, image, n_context=n_context, n_targets=2, multiple=8, batch_size=3, flip_axes=flips, device=CPU
    )
    np.testing.assert_allclose(found, image, atol=SIGMOID_TOLERANCE)


def test_neighbors_are_the_slices_beside_and_the_outermost_repeats() -> None:
    image = np.arange(4, dtype=np.float32)[None, :, None, None] * np.ones((1, 4, 8, 8), np.float32) / 10 + 0.2
    below = predict_slices(
        lambda batch: torch.logit(batch[:, :1]), image, n_context=3, n_targets=1, multiple=8, batch_size=2,
        flip_axes=(), device=CPU,
    )  # fmt: skip
    np.testing.assert_allclose(below[0, :, 0, 0], [0.2, 0.2, 0.3, 0.4], atol=SIGMOID_TOLERANCE)


def test_patches_cover_every_voxel_and_overlap_enough() -> None:
    seen = np.zeros((9, 20, 33), int)
    boxes = list(patch_boxes(seen.shape, (8, 12, 16), 0.25))
    for box in boxes:
        seen[box] += 1
        assert [side.stop - side.start for side in box] == [8, 12, 16]
    assert seen.min() >= 1
    assert len(boxes) == 2 * 2 * 3


def test_all_flips_once() -> None:
    assert flip_combinations((0, 2)) == [(), (0,), (2,), (0, 2)]


def test_orientation_and_prediction_commute() -> None:
    turn = Rotation.from_euler("xyz", [90, 5, 180], degrees=True).as_matrix()
    geometry = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5), (0.0, 0.0, 0.0), turn)
    orientation = find_orientation(geometry)
    image = _probabilities((1, 5, 7, 11))
    canonical = np.ascontiguousarray(reorient(image, orientation))
    found = predict_patches(
        torch.logit, canonical, patch_size=(8, 8, 8), overlap_fraction=0.5, n_targets=1, flip_axes=(), device=CPU
    )
    np.testing.assert_allclose(undo_reorient(found, orientation), image, atol=SIGMOID_TOLERANCE)


def _rules(**changes: object) -> InferencePlan:
    rules = {
        "overlap_fraction": 0.5, "flip_axes": (), "probability_threshold": 0.5, "min_lesion_ml": 0.0,
        "fill_holes": False, **changes,
    }  # fmt: skip
    return InferencePlan.model_validate(rules)


def test_regions_are_written_widest_first() -> None:
    targets = (
        Target(name="WT", labels=(1, 2, 4)),
        Target(name="TC", labels=(1, 4)),
        Target(name="ET", labels=(4,)),
    )
    probabilities = np.array([[0.9, 0.9, 0.9, 0.1], [0.1, 0.9, 0.9, 0.9], [0.1, 0.1, 0.9, 0.9]], np.float32)
    labels = to_labels(probabilities[:, None, None], targets, _rules(), 1.0)
    # The last voxel is core without being whole tumor: a contradiction, so nothing is written.
    assert labels.ravel().tolist() == [2, 1, 4, 0]


def test_of_two_labels_the_more_probable_wins() -> None:
    targets = (Target(name="a", labels=(1,)), Target(name="b", labels=(7,)))
    probabilities = np.array([[0.9, 0.6, 0.4], [0.6, 0.8, 0.3]], np.float32)
    assert to_labels(probabilities[:, None, None], targets, _rules(), 1.0).ravel().tolist() == [1, 7, 0]


def test_small_lesions_go_and_holes_are_filled() -> None:
    mask = np.zeros((5, 9, 9), bool)
    mask[1:4, 1:4, 1:4] = True
    mask[2, 2, 2] = False
    mask[0, 8, 8] = True
    found = tidy(mask, _rules(min_lesion_ml=0.002, fill_holes=True), 0.001)
    assert found[2, 2, 2]
    assert not found[0, 8, 8]
    assert found.sum() == 27
    assert mask.sum() == 27
    assert tidy(mask, _rules(), 0.001).sum() == 27
