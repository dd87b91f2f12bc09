"""Power against simulation by the test itself."""

import math

import numpy as np
import pytest
from scipy import stats

from lesionflow.evaluation.statistics.power import power, smallest_detectable_gain
from lesionflow.evaluation.statistics.skewness import claim_p


@pytest.mark.parametrize(("n", "gain", "alpha"), [(8, 0.9, 0.0193), (14, 0.7, 0.0193), (24, 0.5, 0.05)])
def test_it_is_what_the_test_shows_in_a_simulation(n, gain, alpha) -> None:
    draws = np.random.default_rng(n).normal(gain, 1.0, (600, n))
    share = np.mean([claim_p(gains) <= alpha for gains in draws])
    assert power(gain, 1.0, n, alpha) == pytest.approx(share, abs=0.05)


def test_for_many_patients_it_is_that_of_the_normal_distribution() -> None:
    expected = stats.norm.sf(stats.norm.isf(0.025) - 0.1 * math.sqrt(900))
    assert power(0.1, 1.0, 900, 0.025) == pytest.approx(expected, abs=0.005)


def test_the_smallest_gain_has_the_power_that_was_asked_for() -> None:
    gain = smallest_detectable_gain(0.2, 24, 0.0193, 0.8)
    assert power(gain, 0.2, 24, 0.0193) == pytest.approx(0.8, abs=1e-3)
    assert smallest_detectable_gain(0.4, 24, 0.0193, 0.8) == pytest.approx(2 * gain)


def test_too_few_patients_can_show_nothing() -> None:
    assert power(5.0, 0.1, 4, 0.05) == 0.0, "four patients have no p below 1 of 16"
    assert smallest_detectable_gain(0.1, 4, 0.05, 0.8) == math.inf
    assert smallest_detectable_gain(0.0, 8, 0.05, 0.8) == 0.0
    assert power(0.1, 0.0, 8, 0.05) == 1.0
