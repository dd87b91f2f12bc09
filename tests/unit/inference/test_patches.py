"""The identity goes through crop, patches, flips, blending and resampling unchanged."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lesionflow.data.geometry import Geometry
from lesionflow.errors import ArtifactError
from lesionflow.inference.patches import flip_combinations, patch_starts, predict_patches, predict_slices
from lesionflow.preprocessing.orientation import find_orientation, reorient

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


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 4, 4), (3, 4, 9)])
def test_a_slice_that_a_network_would_halve_to_one_element_is_normalized_all_the_same(
    shape: tuple[int, int, int],
) -> None:
    image = _probabilities((1, *shape))

    def halved(batch: torch.Tensor) -> torch.Tensor:
        torch.nn.functional.instance_norm(torch.nn.functional.avg_pool2d(batch, 4))
        return torch.logit(batch)

    found = predict_slices(halved, image, n_context=1, n_targets=1, multiple=4, batch_size=2, flip_axes=(), device=CPU)
    np.testing.assert_allclose(found, image, atol=SIGMOID_TOLERANCE)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("precision", [torch.float32, torch.float16, torch.bfloat16])
def test_one_answer_that_is_no_number_ends_it(value: float, precision: torch.dtype) -> None:
    """A sigmoid makes a plain 0 or 1 of infinity, and NaN is above no threshold: neither is seen in a mask."""
    image = _probabilities((1, 8, 12, 16))

    def broken(batch: torch.Tensor) -> torch.Tensor:
        logits = torch.logit(batch).to(precision)
        logits.view(-1)[7] = value
        return logits

    def large(batch: torch.Tensor) -> torch.Tensor:
        """All that half precision holds, whose sum is far beyond it."""
        return torch.full_like(batch, 60000.0, dtype=precision)

    size = (8, 12, 16)
    slices = {"n_context": 1, "n_targets": 1, "multiple": 4, "batch_size": 2, "flip_axes": (1,), "device": CPU}
    patches = {"patch_size": size, "overlap_fraction": 0.5, "n_targets": 1, "flip_axes": (0,), "device": CPU}
    for predict, how in ((predict_slices, slices), (predict_patches, patches)):
        with pytest.raises(ArtifactError, match="not the study"):
            predict(broken, image, **how)
        assert (predict(large, image, **how) > 0.999).all()


def test_patches_cover_every_voxel_and_overlap_enough() -> None:
    seen = np.zeros((9, 20, 33), int)
    starts = patch_starts(seen.shape, (8, 12, 16), 0.25)
    for slices, rows, columns in product(*starts):
        seen[slices : slices + 8, rows : rows + 12, columns : columns + 16] += 1
    assert seen.min() >= 1
    assert [len(places) for places in starts] == [2, 2, 3]
    for places, size in zip(starts, (8, 12, 16), strict=True):
        assert max(np.diff(places)) <= 0.75 * size


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
    back = np.empty_like(image)
    reorient(back, orientation)[:] = found
    np.testing.assert_allclose(back, image, atol=SIGMOID_TOLERANCE)
