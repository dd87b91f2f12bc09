"""Calibration figures by hand, and against simulated truth."""

import math

import numpy as np
import pytest

from lesionflow.metrics.probabilities import (
    conformal_quantile,
    expected_calibration_error,
    fit_temperature,
    harden,
    reliability,
    soften,
)


def test_bins_and_error_by_hand() -> None:
    probabilities = np.array([0.05, 0.15, 0.15, 0.95, 1.0])
    truth = np.array([False, True, False, True, True])
    bins = reliability(probabilities, truth, n_bins=10)
    expected = [(0.05, 0.0, 1), (0.15, 0.5, 2), (0.975, 1.0, 2)]
    np.testing.assert_allclose(bins, expected, atol=1e-12)
    # (1 x 0.05 + 2 x 0.35 + 2 x 0.025) / 5
    assert expected_calibration_error(bins) == pytest.approx(0.16)
    assert math.isnan(expected_calibration_error([]))


def test_a_temperature_divides_the_logit() -> None:
    # logit(0.8) = ln 4; half of it is ln 2, of probability 2/3.
    assert soften(np.array([0.8]), 2.0)[0] == pytest.approx(2 / 3)
    assert harden(2 / 3, 2.0) == pytest.approx(0.8)
    values = np.array([0.0, 0.3, 1.0])
    np.testing.assert_array_equal(soften(values, 1.0), values)
    assert np.isfinite(soften(values, 3.0)).all()


def test_the_temperature_of_overconfident_probabilities_is_found_again() -> None:
    rng = np.random.default_rng(4)
    true = rng.uniform(0.02, 0.98, 40_000)
    truth = rng.random(40_000) < true
    overconfident = soften(true, 1 / 2.5)
    found = fit_temperature(overconfident, truth)
    assert found == pytest.approx(2.5, rel=0.05)
    before = expected_calibration_error(reliability(overconfident, truth))
    after = expected_calibration_error(reliability(soften(overconfident, found), truth))
    assert before > 0.08
    assert after < 0.01


def test_truth_of_one_kind_says_nothing_of_the_temperature() -> None:
    assert fit_temperature(np.array([0.2, 0.9]), np.array([True, True])) == 1.0
    assert fit_temperature(np.array([0.2, 0.9]), np.array([False, False])) == 1.0


@pytest.mark.parametrize(
    ("n", "coverage", "rank", "holds"),
    [(9, 0.9, 9, 0.9), (10, 0.9, 10, 0.9), (19, 0.9, 18, 0.9), (6, 0.9, 6, 6 / 7), (99, 0.5, 50, 0.5)],
)
def test_the_quantile_is_the_rank_that_exchangeability_asks_for(n, coverage, rank, holds) -> None:
    scores = np.random.default_rng(n).permutation(np.arange(1, n + 1))
    found, possible = conformal_quantile(scores, coverage)
    assert found == rank
    assert possible == pytest.approx(holds)


def test_without_scores_there_is_no_quantile() -> None:
    with pytest.raises(ValueError, match="score"):
        conformal_quantile(np.empty(0), 0.9)
