import numpy as np
import pytest

from lesionflow.data.fingerprint import BackgroundContrast
from lesionflow.planning.background import has_bright_background


@pytest.mark.parametrize("fill", [0.0, None])
def test_background_is_what_there_is_most_of(fill):
    picture = np.full((20, 30), 230.0)
    picture[3:9, 4:12] = 90.0
    if fill is not None:
        # Half of the frame was filled in, and would be the most.
        picture[:, 15:] = fill
    assert has_bright_background(picture)
    assert not has_bright_background(np.where(picture > 0, 255.0 - picture, 0.0))


def test_specks_do_not_decide():
    picture = np.random.default_rng(0).normal(60.0, 8.0, (50, 60))
    picture[10:20, 10:25] += 40.0
    assert not has_bright_background(picture)
    picture[0, :5] = 1.0
    picture[0, 5:9] = 90_000.0
    assert not has_bright_background(picture)


def test_a_picture_of_zeros_has_none():
    assert not has_bright_background(np.zeros((4, 5)))


def test_turning_is_worth_it_where_it_makes_the_cases_agree():
    bright = np.array([True, False, False, False, False, False])
    contrast = BackgroundContrast(bright, np.array([-1.0, 1.0, 1.0, 1.0, 1.0, 0.0]))
    assert (contrast.agreement(turned=False), contrast.agreement(turned=True)) == (0.8, 1.0)
    assert contrast.better_turned


@pytest.mark.parametrize(
    "outlined",
    [
        [1.0, 1.0, 1.0, 1.0, 1.0],  # agree as they are
        [1.0, -1.0, 1.0, -1.0, 1.0],  # turning helps as many as it harms
        [0.0, 0.0, 0.0, 0.0, 0.0],  # nobody knows
    ],
)
def test_turning_is_not_worth_it_otherwise(outlined):
    bright = np.array([True, False, False, True, False])
    assert not BackgroundContrast(bright, np.array(outlined)).better_turned
