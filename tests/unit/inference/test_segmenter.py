"""The identity goes all the way from a study to its probabilities and mask: crop, patches, flips, blending, resampling."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lesionflow.data.bundle import Bundle
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.errors import ArtifactError, InputError
from lesionflow.inference import Segmenter
from lesionflow.models import build_model
from lesionflow.preprocessing import resampling
from support.bundles import small_bundle

#: Sigmoid and its inverse in float32, and one interpolation.
TOLERANCE = 2e-5
#: A quarter of what a shift by one column would change.
RAMP_TOLERANCE = 5e-4
OBLIQUE = Rotation.from_euler("xyz", [176, 7, 25], degrees=True).as_matrix()
LYING = Rotation.from_euler("xyz", [90, 0, 180], degrees=True).as_matrix()
#: HU for probabilities 0..1: within the body's limit and the plan's window.
LOW_HU, RANGE_HU = -200.0, 500.0


def _segmenter(
    dimensions: int, patch: tuple[int, int, int], spacing_mm: tuple[float | None, ...], flips: tuple[int, ...]
) -> Segmenter:
    """A segmenter whose network says what it is shown: normalized intensity 0..1 as a probability."""
    plan = small_bundle().plan
    ct = plan.channels[0].model_copy(
        update={"lower": LOW_HU, "upper": LOW_HU + RANGE_HU, "mean": LOW_HU, "std": RANGE_HU}
    )
    plan = plan.model_copy(
        update={
            "dimensions": dimensions,
            "patch_size": patch,
            "context_slices": patch[0] if dimensions == 2 else 1,
            "spacing_mm": spacing_mm,
            "channels": (ct,),
            "inference": plan.inference.model_copy(
                update={"flip_axes": flips, "overlap_fraction": 0.5, "min_lesion_ml": 0.0, "fill_holes": False}
            ),
        }
    )
    network = build_model(plan.architecture, in_channels=plan.in_channels, out_channels=1, dimensions=dimensions)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    segmenter = Segmenter(Bundle(plan, weights, small_bundle().card), device="cpu")
    middle = plan.context_slices // 2
    segmenter.stage.network = _Identity(middle if dimensions == 2 else 0)
    return segmenter


class _Identity(torch.nn.Module):
    def __init__(self, channel: int) -> None:
        super().__init__()
        self.channel = channel

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return torch.logit(batch[:, self.channel : self.channel + 1], eps=1e-6)


def _study(
    shape: tuple[int, int, int], direction: np.ndarray | None, value: Callable[[np.ndarray], np.ndarray]
) -> Volume:
    """A body in air whose HU are `value` of the place in mm."""
    geometry = Geometry.from_parts(shape, (3.0, 0.8, 0.5), (11.0, -20.0, 5.0), direction)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    array = np.full(shape, -1000.0)
    body = (slice(1, -1), slice(2, -3), slice(4, -1))
    array[body] = LOW_HU + RANGE_HU * value(geometry.to_lps(index))[body]
    return Volume(array[None].astype(np.float32), geometry)


def _noise(places_mm: np.ndarray) -> np.ndarray:
    return np.random.default_rng(5).uniform(0.05, 0.95, size=places_mm.shape[:-1])


def _ramp(places_mm: np.ndarray) -> np.ndarray:
    return 0.5 + places_mm @ np.array([0.004, -0.003, 0.002])


@pytest.mark.parametrize("direction", [None, LYING, OBLIQUE], ids=["straight", "lying", "oblique"])
@pytest.mark.parametrize("shape", [(7, 11, 13), (13, 37, 41)], ids=["smaller than a patch", "larger than a patch"])
@pytest.mark.parametrize(
    ("dimensions", "patch", "flips"), [(2, (3, 16, 16), (1, 2)), (3, (8, 16, 24), (0, 2)), (3, (8, 16, 24), ())]
)
def test_at_its_own_spacing_every_voxel_comes_back(dimensions, patch, flips, shape, direction):
    study = _study(shape, direction, _noise)
    found = _segmenter(dimensions, patch, (None, None, None), flips).segment(study, case_id="c-1")
    body = study.array[0] > -500
    expected = np.where(body, (study.array[0] - LOW_HU) / RANGE_HU, 0.0)
    np.testing.assert_allclose(found.probabilities[0], expected, atol=TOLERANCE)
    sure = np.abs(expected - 0.5) > TOLERANCE
    np.testing.assert_array_equal(found.mask.labels[sure], (expected >= 0.5)[sure])


@pytest.mark.parametrize("direction", [None, LYING, OBLIQUE], ids=["straight", "lying", "oblique"])
@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("spacing_mm", [(None, 0.6, 0.6), (2.0, 0.5, 0.7)])
def test_resampled_and_back_a_ramp_stays_where_it_is(spacing_mm, dimensions, direction):
    study = _study((13, 37, 41), direction, _ramp)
    patch = (3, 16, 16) if dimensions == 2 else (8, 16, 24)
    found = _segmenter(dimensions, patch, spacing_mm, (1,)).segment(study, case_id="c-1")
    # A linear function is what linear interpolation gives back exactly, one voxel within the body's border.
    inner = (slice(3, -3), slice(5, -6), slice(7, -4))
    np.testing.assert_allclose(found.probabilities[0][inner], _clipped(study)[inner], atol=RAMP_TOLERANCE)


def _clipped(study: Volume) -> np.ndarray:
    return np.clip((study.array[0] - LOW_HU) / RANGE_HU, 0, 1)


@pytest.mark.parametrize("spacing_mm", [(None, None, None), (None, 1.3, 0.9), (5.0, 0.4, 1.7)])
def test_slabs_are_the_whole_bit_for_bit(monkeypatch, spacing_mm):
    study = _study((13, 37, 41), OBLIQUE, _noise)
    segmenter = _segmenter(3, (8, 16, 24), spacing_mm, ())
    whole = segmenter.segment(study, case_id="c-1")
    monkeypatch.setattr(resampling, "VOXELS_AT_A_TIME", 1)
    slabs = segmenter.segment(study, case_id="c-1")
    np.testing.assert_array_equal(slabs.answer.probabilities, whole.answer.probabilities)
    np.testing.assert_array_equal(slabs.probabilities, whole.probabilities)
    np.testing.assert_array_equal(slabs.mask.labels, whole.mask.labels)
    assert slabs.volumes_ml == whole.volumes_ml
    assert slabs.findings[0].mean_probability == pytest.approx(whole.findings[0].mean_probability, abs=1e-9)


def test_patches_of_air_are_not_looked_at() -> None:
    segmenter = _segmenter(3, (8, 16, 16), (None, None, None), ())
    seen = []
    network = segmenter.stage.network
    segmenter.stage.network = lambda batch: seen.append(batch.shape) or network(batch)
    array = np.full((1, 8, 64, 64), -1000.0, np.float32)
    array[0, :, :16, :4] = array[0, :, 60:, 60:] = 100.0
    array[0, 0, 8, :] = array[0, 0, :, 60] = 0.0  # a thin bridge, so that both are one body
    segmenter.segment(Volume(array, Geometry.from_parts((8, 64, 64), (1.0, 1.0, 1.0))), case_id="c-1")
    assert 0 < len(seen) < 49


@pytest.mark.parametrize("dimensions", [2, 3])
def test_progress_tells_the_parts_and_may_cancel(dimensions):
    study = _study((13, 37, 41), None, _noise)
    segmenter = _segmenter(dimensions, (3, 16, 16) if dimensions == 2 else (8, 16, 24), (None, None, None), ())
    told: list[tuple[int, int]] = []
    segmenter.segment(study, case_id="c-1", progress=lambda done, total: told.append((done, total)))
    totals = {total for _, total in told}
    assert len(totals) == 1
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1][0] == told[-1][1]

    def stop(done: int, _: int) -> None:
        if done >= 2:
            raise KeyboardInterrupt

    calls = []
    network = segmenter.stage.network
    segmenter.stage.network = lambda batch: calls.append(1) or network(batch)
    with pytest.raises(KeyboardInterrupt):
        segmenter.segment(study, case_id="c-1", progress=stop)
    assert len(calls) <= 2


def test_a_threshold_means_calibrated_probabilities() -> None:
    study = _study((7, 11, 13), None, _noise)
    segmenter = _segmenter(2, (3, 16, 16), (None, None, None), ())
    segmenter.temperature, segmenter.rules = 2.0, segmenter.rules.model_copy(update={"probability_threshold": 0.7})
    found = segmenter.segment(study, case_id="c-1")
    # logit(0.7) = 0.8473; twice that is 1.6946, the logit of 0.844828.
    raw = _clipped(study)
    sure = np.abs(raw - 0.844828) > 1e-4
    np.testing.assert_array_equal(found.mask.labels[sure] > 0, (raw >= 0.844828)[sure])
    inside = found.mask.labels > 0
    by_hand = 1 / (1 + np.sqrt((1 - raw[inside]) / raw[inside]))
    assert found.findings[0].mean_probability == pytest.approx(by_hand.mean(), abs=1e-4)
    np.testing.assert_allclose(found.probabilities[0][inside], by_hand, atol=1e-4)


def test_weights_of_another_number_of_channels_are_refused_with_both_shapes() -> None:
    plan = small_bundle().plan
    network = build_model(plan.architecture, in_channels=plan.in_channels + 1, out_channels=1, dimensions=2)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    with pytest.raises(
        ArtifactError, match=r"shape torch.Size\(\[\d+, 4, 3, 3\]\).*current model is torch.Size\(\[\d+, 3, 3, 3\]\)"
    ):
        Segmenter(Bundle(plan, weights, small_bundle().card), device="cpu")


def test_a_study_of_other_channels_is_refused() -> None:
    study = _study((7, 11, 13), None, _noise)
    both = Volume(np.concatenate([study.array, study.array]), study.geometry)
    with pytest.raises(InputError) as refused:
        _segmenter(2, (3, 16, 16), (None, None, None), ()).segment(both, case_id="c-1")
    assert refused.value.reason == "wrong_channels"
