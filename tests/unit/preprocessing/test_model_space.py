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

CT = ChannelPlan(name="CT", kind="ct", lower=-100.0, upper=200.0, mean=50.0, std=75.0)


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
