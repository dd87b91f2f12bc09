"""There and back: what the network gives lands on the right voxels of the study."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lesionflow.data.dataset import Dataset
from lesionflow.data.geometry import Geometry
from lesionflow.data.plan import ArchitecturePlan, ChannelPlan, InferencePlan, Plan
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import GeometryMismatchError, InputError
from lesionflow.preprocessing import mask_to_model_space, to_model_space, to_source_space
from lesionflow.preprocessing.crop import body_box
from lesionflow.preprocessing.filters import correct_bias_field, denoise
from lesionflow.preprocessing.intensity import normalize

CT = ChannelPlan(name="CT", kind="ct", lower=-100.0, upper=200.0, mean=50.0, std=75.0)
MR = ChannelPlan(name="T1", kind="mr", lower=None, upper=None, mean=None, std=None)


def _plan(
    spacing: tuple[float | None, float | None, float | None], channel: ChannelPlan = CT, **changes: object
) -> Plan:
    rules = {
        "overlap_fraction": 0.5,
        "flip_axes": (),
        "probability_threshold": 0.5,
        "min_lesion_ml": 0,
        "fill_holes": False,
    }
    return Plan(
        dataset=Dataset(name="d", channels={channel.name: channel.kind}, labels={"tumor": 1}, regions={}),
        dimensions=2,
        spacing_mm=spacing,
        patch_size=(3, 8, 8),
        batch_size=1,
        context_slices=3,
        channels=(channel,),
        denoising="none",
        bias_field_correction=False,
        architecture=ArchitecturePlan(name="unet", options={}),
        inference=InferencePlan.model_validate(rules),
        decisions=(),
    ).model_copy(update=changes)


def _body(geometry: Geometry) -> Volume:
    array = np.full((1, *geometry.shape), -1000.0, np.float32)
    array[0, 1:-1, 2:-2, 3:-1] = np.random.default_rng(1).normal(40, 30, size=np.array(geometry.shape) - (2, 4, 4))
    return Volume(array, geometry)


@pytest.mark.parametrize("angles", [(0, 0, 0), (180, 0, 0), (170, 8, 95), (90, 0, 0)])
def test_at_its_own_spacing_every_voxel_comes_back_to_its_place(angles: tuple[int, int, int]) -> None:
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    geometry = Geometry.from_parts((9, 13, 11), (3.0, 0.8, 0.5), (5.0, -6.0, 7.0), turn)
    volume = _body(geometry)
    space = to_model_space(volume, _plan((None, None, None)), case_id="c-1")
    back = to_source_space(space.volume.array, space.way_back)
    inside = volume.array > -900
    expected = (np.clip(volume.array, -100, 200) - np.float32(50)) / np.float32(75)
    assert np.array_equal(back[inside], expected[inside])
    assert not back[~inside].any()


def test_a_ball_found_in_model_space_is_the_ball_of_the_study() -> None:
    turn = Rotation.from_euler("xyz", [175, 6, 20], degrees=True).as_matrix()
    geometry = Geometry.from_parts((15, 50, 60), (3.0, 0.9, 0.8), (5.0, -6.0, 7.0), turn)
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    center = geometry.to_lps([7, 22, 33])
    ball = np.linalg.norm(geometry.to_lps(index) - center, axis=-1) < 11.0
    volume = Volume(np.full((1, *geometry.shape), 40.0, np.float32) + ball, geometry)
    space = to_model_space(volume, _plan((None, 1.7, 1.7)), case_id="c-1")
    mask = mask_to_model_space(Mask(ball.astype(np.uint8), geometry), space)
    ml = np.count_nonzero(mask.labels) * mask.geometry.voxel_volume_ml
    assert ml == pytest.approx(4 / 3 * np.pi * 1.1**3, rel=0.05)
    found = np.argwhere(mask.labels)
    np.testing.assert_allclose(mask.geometry.to_lps(found).mean(axis=0), center, atol=0.3)
    back = to_source_space((mask.labels > 0).astype(np.float32)[None], space.way_back)[0] >= 0.5
    assert 2 * (back & ball).sum() / (back.sum() + ball.sum()) > 0.94


def test_a_mask_on_another_grid_is_refused() -> None:
    geometry = Geometry.from_parts((9, 13, 11), (3.0, 0.8, 0.5))
    space = to_model_space(_body(geometry), _plan((None, 1.0, 1.0)), case_id="c-1")
    moved = Geometry.from_parts((9, 13, 11), (3.0, 0.8, 0.5), (0.0, 0.0, 1.0))
    with pytest.raises(GeometryMismatchError):
        mask_to_model_space(Mask(np.zeros((9, 13, 11), np.uint8), moved), space)


def test_a_study_with_other_channels_is_refused() -> None:
    geometry = Geometry.from_parts((2, 3, 4), (1.0, 1.0, 1.0))
    with pytest.raises(InputError) as refusal:
        to_model_space(Volume(np.zeros((2, 2, 3, 4)), geometry), _plan((None, None, None)), case_id="c-1")
    assert refusal.value.reason == "wrong_channels"


def test_the_box_holds_the_largest_part_and_not_the_table() -> None:
    array = np.full((1, 4, 10, 12), -1000.0, np.float32)
    array[0, :, 2:6, 3:9] = 0.0
    array[0, :, 9, :] = 100.0
    assert body_box(array, ("ct",)) == (slice(0, 4), slice(2, 6), slice(3, 9))


def test_air_alone_keeps_the_whole_grid() -> None:
    array = np.full((1, 4, 5, 6), -1000.0, np.float32)
    assert body_box(array, ("ct",)) == (slice(0, 4), slice(0, 5), slice(0, 6))


def test_magnetic_resonance_is_scaled_by_its_own_voxels() -> None:
    values = np.array([0, 0, 2, 4, 6], np.float32).reshape(1, 1, 1, 5)
    found = normalize(values, (MR,), case_id="c-1").ravel()
    np.testing.assert_allclose(found[2:], [-1.224745, 0, 1.224745], atol=1e-5)


def test_a_picture_on_a_bright_background_is_turned_where_the_plan_says_so() -> None:
    picture = ChannelPlan(name="gray", kind="picture", lower=None, upper=None, mean=None, std=None)
    turning = picture.model_copy(update={"dark_background": True})
    values = np.full((1, 1, 20, 30), 230.0, np.float32)
    values[..., 3:9, 4:12] = 90.0
    for array, sign in ((values, -1.0), (255.0 - values, 1.0)):
        plain = normalize(array.copy(), (picture,), case_id="c-1")
        turned = normalize(array.copy(), (turning,), case_id="c-1")
        np.testing.assert_array_equal(turned, sign * plain)
        assert turned[0, 0, 5, 6] > turned[0, 0, 0, 0]


@pytest.mark.parametrize(("value", "reason"), [(3.0, "constant_channel"), (np.nan, "non_finite_voxels")])
def test_a_channel_that_says_nothing_is_refused(value: float, reason: str) -> None:
    with pytest.raises(InputError) as refusal:
        normalize(np.full((1, 2, 3, 4), value, np.float32), (CT,), case_id="c-1")
    assert refusal.value.reason == reason


@pytest.mark.parametrize("method", ["median", "curvature"])
def test_denoising_lowers_noise_and_keeps_an_edge(method: str) -> None:
    clean = np.zeros((3, 24, 30), np.float32)
    clean[:, :, 15:] = 100.0
    noisy = clean + np.random.default_rng(0).normal(0, 8, size=clean.shape).astype(np.float32)
    found = denoise(noisy, method, (3.0, 0.8, 0.5))
    assert np.abs(found - clean)[:, :, 5:10].mean() < 0.8 * np.abs(noisy - clean)[:, :, 5:10].mean()
    assert found[:, :, 20:].mean() - found[:, :, :10].mean() > 90
    assert denoise(noisy, "none", (3.0, 0.8, 0.5)) is noisy


def test_a_bias_field_is_flattened_and_background_stays() -> None:
    rows, columns = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 48), indexing="ij")
    field = np.exp(0.6 * columns + 0.2 * rows)
    image = np.tile(100.0 * field, (8, 1, 1)).astype(np.float32)
    image += np.random.default_rng(0).normal(0, 1, size=image.shape).astype(np.float32)
    image[:, :4] = 0.0
    found = correct_bias_field(image, (3.0, 1.0, 1.0))
    inside = np.s_[:, 8:-4, 4:-4]
    assert found[inside].std() / found[inside].mean() < 0.5 * image[inside].std() / image[inside].mean()
    assert not found[:, :4].any()
