"""Bounds of bounded means against the exact ones of rates, and how often they hold."""

import math

import numpy as np
import pytest
from scipy.stats import beta

from lesionflow.evaluation.statistics.bounded import mean_lower_bound, mean_upper_bound


@pytest.mark.parametrize(("k", "n"), [(0, 8), (5, 8), (28, 28)])
def test_of_zeros_and_ones_it_is_clopper_and_pearsons(k, n) -> None:
    values = np.array([1.0] * k + [0.0] * (n - k))
    expected = beta.ppf(0.05, k, n - k + 1) if k else 0.0
    assert mean_lower_bound(values, 0.05) == pytest.approx(expected, abs=0.01)


def test_it_turns_and_moves_with_the_values() -> None:
    values = np.array([0.2, 0.9, 0.7, 0.4])
    low = mean_lower_bound(values, 0.1)
    assert 0.0 < low < values.mean()
    assert mean_upper_bound(1.0 - values, 0.1) == pytest.approx(1.0 - low)
    assert mean_lower_bound(10.0 * values - 5.0, 0.1, least=-5.0) == pytest.approx(10.0 * low - 5.0)
    assert math.isnan(mean_lower_bound(np.empty(0), 0.1))


def test_it_holds_where_a_miss_is_rare_and_the_bootstrap_fails() -> None:
    random = np.random.default_rng(7)
    draws = np.where(random.random((1500, 8)) < 0.08, 0.0, random.normal(0.8, 0.05, (1500, 8)).clip(0.0, 1.0))
    wrong = np.mean([mean_lower_bound(values, 0.05) > 0.92 * 0.8 for values in draws])
    assert wrong <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 1500)
