"""Exact intervals of rates against scipy's binomial test, and what clusters do to them."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from lesionflow.evaluation.statistics.rates import clopper_pearson, clustered_rate, rate_upper_bound


@pytest.mark.parametrize(("k", "n"), [(0, 5), (3, 17), (28, 28), (39, 40)])
def test_scipy_gives_the_same_interval(k, n) -> None:
    expected = binomtest(k, n).proportion_ci(0.95, method="exact")
    assert clopper_pearson(k, n, 0.95) == pytest.approx((expected.low, expected.high))
    one_sided = binomtest(k, n, alternative="less").proportion_ci(0.95, method="exact")
    assert rate_upper_bound(k, n, 0.05) == pytest.approx(one_sided.high)


def test_one_lesion_each_is_the_plain_interval() -> None:
    parts = np.array([1, 0, 1, 1, 0, 1, 1, 1, 1, 0] * 4)
    found = clustered_rate(parts, np.ones(40), 0.95)
    assert found.rate == 0.7
    # The scatter of single trials is that of the binomial distribution, but for n - 1 in its denominator.
    assert found.n_effective == pytest.approx(39.0)
    low, high = clopper_pearson(0.7 * 39.0, 39.0, 0.95)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_all_of_28_is_not_certainty_and_less_so_from_fewer_patients() -> None:
    each = clustered_rate(np.ones(28), np.ones(28), 0.95)
    assert (each.low, each.high) == pytest.approx((0.025 ** (1 / 28), 1.0))
    of_seven = clustered_rate(np.full(7, 4.0), np.full(7, 4.0), 0.95)
    assert (of_seven.low, of_seven.high) == pytest.approx((0.025 ** (1 / 7), 1.0)), (
        "four lesions of one patient count as one"
    )


def test_patients_who_differ_widen_it() -> None:
    alike = clustered_rate(np.full(10, 2.0), np.full(10, 4.0), 0.9)
    apart = clustered_rate(np.array([4.0, 0.0] * 5), np.full(10, 4.0), 0.9)
    assert alike.rate == apart.rate == 0.5
    assert apart.n_effective < 10 < alike.n_effective
    assert apart.low < alike.low < 0.5 < alike.high < apart.high


def test_no_trial_has_no_rate() -> None:
    assert math.isnan(clustered_rate(np.zeros(3), np.zeros(3), 0.95).rate)
    assert all(math.isnan(bound) for bound in clopper_pearson(0, 0, 0.95))
    assert rate_upper_bound(0, 0, 0.05) == 1.0


def test_it_holds_what_it_says_for_clustered_lesions() -> None:
    random, inside = np.random.default_rng(6), 0
    for _ in range(600):
        sizes = random.integers(1, 6, 15)
        found = random.binomial(sizes, random.beta(8.0, 2.0, 15))
        rate = clustered_rate(found.astype(float), sizes.astype(float), 0.9)
        inside += rate.low <= 0.8 <= rate.high
    assert inside / 600 >= 0.87


@pytest.mark.parametrize(
    ("parts", "wholes", "expected"),
    [
        # Variance 3/2 x 8/144, so p (1 - p) / variance is 3; t of 11 degrees is 2.201, of 2 it is 4.303.
        ([4, 2, 0], [4, 4, 4], 3 * (2.201 / 4.303) ** 2),
        # Variance 2 x 2/64: 4; t of 7 degrees is 2.365, of 1 it is 12.706.
        ([3, 1], [4, 4], 4 * (2.365 / 12.706) ** 2),
        # Variance 2 x 0.5/4: 1; both have 1 degree of freedom.
        ([1, 0], [1, 1], 1.0),
    ],
)
def test_the_effective_number_of_few_patients_by_hand_and_by_a_table_of_t(parts, wholes, expected) -> None:
    found = clustered_rate(np.array(parts), np.array(wholes), 0.95)
    assert found.rate == 0.5
    assert found.n_effective == pytest.approx(expected, rel=2e-3)


def test_one_of_one_and_one_of_ten_by_hand() -> None:
    # At the lower bound p, one of ten or more has a chance of 0.025: 1 - (1 - p)^10.
    assert clopper_pearson(1, 1, 0.95) == (pytest.approx(0.025), 1.0)
    assert clopper_pearson(1, 10, 0.95)[0] == pytest.approx(1 - 0.975**0.1)


def test_without_a_trial_nothing_is_known() -> None:
    found = clustered_rate(np.zeros(3), np.zeros(3), 0.95)
    assert all(math.isnan(value) for value in found[:3])
    assert found.n_effective == 0.0


@pytest.mark.parametrize(
    ("parts", "wholes", "n_effective"), [([0] * 4, [5] * 4, 4.0), ([5] * 4, [5] * 4, 4.0), ([2], [4], 1.0)]
)
def test_where_no_scatter_can_be_seen_a_patient_is_one_trial(parts, wholes, n_effective) -> None:
    assert clustered_rate(np.array(parts), np.array(wholes), 0.95).n_effective == n_effective
