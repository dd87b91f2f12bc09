"""The area under the curve: against scikit-learn, and its interval against how often it holds the true area."""

import math

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from lesionflow.metrics.ranking import rank


def test_the_area_is_scikit_learns_ties_included():
    random = np.random.default_rng(1)
    scores, bad = random.integers(0, 9, 80) / 9, random.random(80) < 0.3
    found = rank(scores, bad)
    assert found.area == pytest.approx(roc_auc_score(bad, -scores))
    assert (found.n_bad, found.n_good) == (bad.sum(), 80 - bad.sum())


def test_all_told_apart_is_no_certainty_where_few_are():
    bad = np.arange(10) < 3
    best, worst = rank(np.arange(10.0), bad), rank(np.arange(10.0)[::-1], bad)
    assert (best.area, best.high, worst.area, worst.low) == (1.0, 1.0, 0.0, 0.0)
    # By hand at area 1: (1 - t)^2 = z^2 t (1 - t) (1 + 4 ((1 - t) / (2 - t) + t / (1 + t))) / 21.
    t, z = best.low, norm.ppf(0.975)
    assert (1 - t) == pytest.approx(z**2 * t * (1 + 4 * ((1 - t) / (2 - t) + t / (1 + t))) / 21)
    assert worst.high == pytest.approx(1 - best.low)


def test_without_both_kinds_there_is_no_area():
    assert math.isnan(rank(np.arange(3.0), np.zeros(3, bool)).area)
    assert rank(np.arange(3.0), np.ones(3, bool))[3:] == (3, 0)


@pytest.mark.parametrize(("n_bad", "n_good"), [(5, 20), (4, 8)])
def test_the_interval_holds_the_true_area_as_often_as_it_says(n_bad, n_good):
    random, apart = np.random.default_rng(7), 1.2
    bad = np.arange(n_bad + n_good) < n_bad
    held = 0
    for _ in range(400):
        found = rank(random.normal(0.0, 1.0, n_bad + n_good) - apart * bad, bad)
        held += found.low <= norm.cdf(apart / math.sqrt(2)) <= found.high
    assert held >= 0.92 * 400
