"""Inputs unlike the training data are flagged, each kind for its own reason, and training data are not."""

import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.errors import ArtifactError
from lesionflow.inference.out_of_distribution import GROUPS, fit_profile, judge_input, measure_features, require_profile
from lesionflow.preprocessing import find_way_back
from support.bundles import small_plan

PLAN = small_plan().model_copy(update={"spacing_mm": (None, None, None)})


def _body(seed: int) -> Volume:
    """An ellipse of tissue with a bone, in air; size, place, brightness and noise vary."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(18, 26)), 60, 70)
    rows, columns = np.ogrid[:60, :70]
    wide, high = rng.uniform(24, 30), rng.uniform(20, 26)
    body = ((rows - 30) / high) ** 2 + ((columns - 35) / wide) ** 2 < 1
    bone = (rows - 42) ** 2 + (columns - 35) ** 2 < rng.uniform(20, 40)
    plane = np.where(body, 40 + rng.normal(0, 6), -1000.0)
    plane = np.where(bone, 400 + rng.normal(0, 40), plane)
    smooth = rng.normal(0, 60, (shape[0] // 3 + 2, 21, 24)).repeat(3, 0).repeat(3, 1).repeat(3, 2)[: shape[0], :60, :70]
    array = plane + (smooth + rng.normal(0, 10, shape)) * body
    spacing = (3.0 * rng.uniform(0.95, 1.05), 6.0 * rng.uniform(0.95, 1.05), 5.0 * rng.uniform(0.95, 1.05))
    return Volume(array[None].astype(np.float32), Geometry.from_parts(shape, spacing))


def _features(volume: Volume) -> dict[str, np.ndarray]:
    return measure_features(volume, find_way_back(volume, PLAN), PLAN)


@pytest.fixture(scope="module")
def profile():
    return fit_profile([_features(_body(seed)) for seed in range(30)])


def test_bodies_like_those_trained_on_are_seldom_flagged(profile) -> None:
    flagged = [judge_input(_features(_body(seed)), profile).flagged for seed in range(100, 200)]
    # 5 % are allowed; 13 of 100 would be chance in 1 of 1,000 times.
    assert sum(flagged) <= 12
    assert profile.false_alarm_fraction <= 0.05
    assert profile.n_cases == 30


def _scaled(volume: Volume, factor: float) -> Volume:
    spacing = np.array(volume.geometry.spacing_mm) * factor
    return Volume(volume.array, Geometry.from_parts(volume.geometry.shape, tuple(spacing)))


ODD = {
    "noise": lambda v: Volume(np.random.default_rng(0).normal(0, 300, v.array.shape).astype(np.float32), v.geometry),
    "flipped intensities": lambda v: Volume(-v.array, v.geometry),
    "another modality": lambda v: Volume(np.where(v.array > -500, 600.0 + v.array * 3, 0.0), v.geometry),
    "twice the size": lambda v: _scaled(v, 2.0),
    "half the size": lambda v: _scaled(v, 0.5),
    "another region": lambda v: Volume(np.ascontiguousarray(v.array[:, :, 10:28, 20:40]), Geometry.from_parts(
        (v.array.shape[1], 18, 20), v.geometry.spacing_mm)),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_flagged(profile, name) -> None:
    found = [judge_input(_features(ODD[name](_body(seed))), profile) for seed in range(300, 320)]
    assert sum(out_of_distribution.flagged for out_of_distribution in found) >= 19
    assert all(out_of_distribution.score > 1 for out_of_distribution in found if out_of_distribution.flagged)
    assert all(
        set(out_of_distribution.reasons) <= set(GROUPS) and out_of_distribution.reasons
        for out_of_distribution in found
        if out_of_distribution.flagged
    )


def test_the_reason_of_a_wrong_scale_is_size(profile) -> None:
    assert judge_input(_features(_scaled(_body(400), 2.0)), profile).reasons == ("size",)


def test_a_handful_of_cases_says_nothing_of_what_is_usual() -> None:
    assert fit_profile([_features(_body(seed)) for seed in range(4)]) is None


def test_two_kinds_of_training_data_are_both_usual_and_what_lies_between_is_odd() -> None:
    bodies = [_body(seed) if seed % 2 else _scaled(_body(seed), 2.0) for seed in range(40)]
    profile = fit_profile([_features(body) for body in bodies])
    for body in (_body(500), _scaled(_body(500), 2.0)):
        assert not judge_input(_features(body), profile).flagged
    assert judge_input(_features(_scaled(_body(500), 1.41)), profile).reasons == ("size",)


def test_distances_by_hand() -> None:
    # Sizes 0, 1, 2, 3, 10 in a spread of 1.4826; the rest alike. Of the two nearest: 1.5, 1, 1, 1.5, 7.5 apart.
    groups = {"intensity": np.zeros(5), "texture": np.zeros(4), "layout": np.zeros(27)}
    profile = fit_profile([{**groups, "size": np.full(3, float(x))} for x in (0, 1, 2, 3, 10)])
    usual = (
        1.5 + 0.6 * (7.5 - 1.5)
    ) / 1.4826  # the 90 % quantile, between the fourth and fifth by linear interpolation
    (size,) = [group for group in profile.groups if group.name == "size"]
    assert size.usual_distance == pytest.approx(usual)
    assert profile.limit == pytest.approx(1.5 * 7.5 / 1.4826 / usual)
    odd = judge_input({**groups, "size": np.full(3, 30.0)}, profile)
    assert odd.score == pytest.approx((20.0 + 27.0) / 2 / (1.5 * 7.5))
    assert odd.reasons == ("size",)
    assert not judge_input({**groups, "size": np.full(3, 11.0)}, profile).flagged


def test_a_profile_of_other_channels_is_refused(profile) -> None:
    require_profile(profile, PLAN)
    both = PLAN.model_copy(update={"channels": PLAN.channels * 2})
    with pytest.raises(ArtifactError, match=r"10 features of intensity .* found 5"):
        require_profile(profile, both)
