import numpy as np
import pytest

from lesionflow.data.plan import ChannelPlan
from lesionflow.errors import InputError
from lesionflow.preprocessing.intensity import normalize

CT = ChannelPlan(name="CT", kind="ct", lower=-100.0, upper=200.0, mean=50.0, std=75.0)
MR = ChannelPlan(name="T1", kind="mr", lower=None, upper=None, mean=None, std=None)


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
