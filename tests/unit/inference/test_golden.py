"""A network that answers as it did passes, by PyTorch and OpenVINO; one whose weights are others does not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from lesionflow.errors import ArtifactError
from lesionflow.inference import Segmenter
from lesionflow.inference.golden import check_golden, make_golden, require_golden
from support.bundles import constant_bundle, small_calibration, threshold_bundle


@pytest.fixture(scope="module")
def bundle():
    """Finds what is brighter than the mean of model space, 40 HU: there is no network whose answer is easier to work out."""
    made = threshold_bundle(40.0, 0)
    return replace(made, golden=make_golden(made))


def test_the_answers_are_those_of_a_threshold_and_the_inputs_are_nobodys(bundle):
    noise, ball = bundle.golden
    assert noise.image.shape == (1, 3, 32, 32)
    assert noise.image.nbytes + noise.masks.nbytes + noise.probabilities.nbytes < 20_000
    for case in bundle.golden:
        clear = np.abs(case.image[0]) > 0.05
        np.testing.assert_array_equal(case.masks[0][clear], (case.image[0] > 0)[clear])
        np.testing.assert_array_equal(case.masks, case.probabilities >= 0.5)
    # The ball of radius 8 in slices of 32 x 32 is bright throughout: one piece that holds the middle.
    labels, _ = ndimage.label(ball.masks[0, 1])
    assert (labels == labels[15, 15]).sum() > 150
    again = make_golden(bundle)
    assert all(np.array_equal(a.probabilities, b.probabilities) for a, b in zip(again, bundle.golden, strict=True))


@pytest.mark.parametrize("backend", ["pytorch", "openvino"])
def test_the_same_network_answers_the_same_by_each_backend(bundle, backend):
    segmenter = Segmenter(bundle, device="cpu", backend=backend)
    assert segmenter.backend == backend
    found = require_golden(segmenter, bundle, "it")
    assert (found.n_cases, found.n_other_voxels) == (2, 0)
    assert found.max_difference < 1e-3


@pytest.mark.parametrize("harm", ["zeroed", "moved"])
def test_another_network_is_told(bundle, harm):
    weights = threshold_bundle(40.0, 2).weights if harm == "moved" else _times(0.0, bundle.weights)
    segmenter = Segmenter(replace(bundle, weights=weights), device="cpu")
    with pytest.raises(ArtifactError, match=r"2 golden cases.*pytorch on cpu"):
        require_golden(segmenter, bundle, "it")


@pytest.mark.parametrize("backend", ["pytorch", "openvino"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_that_gives_no_number_is_told_by_each_backend(bundle, backend, value):
    weights = {**bundle.weights, "output.bias": np.full_like(bundle.weights["output.bias"], value)}
    segmenter = Segmenter(replace(bundle, weights=weights), device="cpu", backend=backend)
    assert segmenter.backend == backend
    with pytest.raises(ArtifactError, match=r"NaN or infinity.*not the study"):
        require_golden(segmenter, bundle, "it")


def _times(value, weights):
    return {
        name: (array * value).astype(array.dtype) if array.dtype == np.float32 else array
        for name, array in weights.items()
    }


def test_masks_are_cut_where_the_bundles_rules_cut_and_none_hold_where_there_are_none(bundle):
    fitted = replace(bundle, calibration=small_calibration())
    # Threshold 0.4 of probabilities softened by a temperature of 2: logit(0.4) * 2, as a probability.
    raw = 1 / (1 + (0.6 / 0.4) ** 2)
    for case in make_golden(fitted):
        clear = np.abs(case.probabilities.astype(float) - raw) > 1e-3
        np.testing.assert_array_equal(case.masks[clear], (case.probabilities > raw)[clear])
    assert check_golden(Segmenter(constant_bundle(1.0), device="cpu"), ()).holds
