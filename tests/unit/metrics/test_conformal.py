"""Conformal quantiles by patient: against the split-conformal one, by hand, and the band against simulated coverage."""

import numpy as np
import pytest
from scipy.stats import kstest

from lesionflow.metrics.conformal import coverage_band, patient_quantile
from lesionflow.metrics.probabilities import conformal_quantile


def _names(n: int, studies: int = 1) -> list[str]:
    return [f"p-{i:03}" for i in range(n) for _ in range(studies)]


@pytest.mark.parametrize(("n", "coverage"), [(1, 0.5), (5, 0.9), (9, 0.9), (18, 0.9), (24, 0.9), (19, 0.95), (40, 0.8)])
def test_with_one_study_a_patient_it_is_the_split_conformal_quantile(n, coverage):
    scores = np.random.default_rng(n).normal(size=n)
    found = patient_quantile(scores, _names(n), coverage)
    assert (found.score, found.coverage) == conformal_quantile(scores, coverage)
    assert found.n_patients == n


def test_follow_ups_that_are_copies_change_nothing():
    scores = np.random.default_rng(3).normal(size=12)
    assert patient_quantile(np.repeat(scores, 4), _names(12, 4), 0.9) == patient_quantile(scores, _names(12), 0.9)


def test_a_patient_with_many_studies_weighs_as_one_with_one():
    # Of four patients one has 100 studies of error 9: half of (4 + 1) patients is 2.5, which the others reach with their third.
    scores, names = np.array([1.0, 2.0, 3.0] + [9.0] * 100), ["a", "b", "c"] + ["d"] * 100
    assert patient_quantile(scores, names, 0.5).score == 3.0
    assert patient_quantile(scores, names, 0.8).score == 9.0
    assert patient_quantile(scores, names, 0.99).coverage == 0.8


def test_no_score_is_no_quantile():
    with pytest.raises(ValueError, match="at least one score"):
        patient_quantile(np.empty(0), [], 0.9)


@pytest.mark.parametrize("n", [5, 9, 24])
def test_the_band_is_that_of_the_coverage_of_many_fits(n):
    """Of scores uniform in 0..1 a fit covers what its quantile is; the law is Beta's, and nine of ten lie in the band."""
    random = np.random.default_rng(n)
    fits = [patient_quantile(random.random(n), _names(n), 0.9) for _ in range(2000)]
    covered, promised = np.array([fit.score for fit in fits]), fits[0].coverage
    rank = {5: 5, 9: 9, 24: 23}[n]
    assert kstest(covered, "beta", args=(rank, n + 1 - rank)).pvalue > 0.001
    low, high = coverage_band(n, promised)
    assert np.mean((covered >= low) & (covered <= high)) == pytest.approx(0.9, abs=0.02)
    assert np.mean(covered < low) == pytest.approx(0.05, abs=0.015)
