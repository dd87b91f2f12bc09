"""The sign-flip test against plain enumeration, scipy's permutation test, and its own interval."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lesionflow.evaluation.statistics.sign_flip import (
    gain_interval,
    lower_bound,
    one_sided_p,
    smallest_p,
    two_sided_p,
    upper_bound,
)

#: On a grid, so that sums are exact and ties are ties.
GAINS = st.lists(st.integers(-20, 20), min_size=1, max_size=9).map(lambda found: np.array(found) / 32.0)


def t_of(values):
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    return values.mean() / spread if spread else math.copysign(math.inf, values.mean()) if values.mean() else 0.0


def enumerated(gains, shift):
    """Go through all patterns by the studentized statistic itself."""
    over = gains - shift
    seen = t_of(over)
    patterns = list(itertools.product((1.0, -1.0), repeat=len(over)))
    return sum(t_of(over * np.array(signs)) >= seen - 1e-9 for signs in patterns) / len(patterns)


@given(GAINS, st.sampled_from([-0.25, 0.0, 0.125]))
@settings(max_examples=60, deadline=None)
def test_it_is_the_studentized_test_over_all_patterns(gains, shift) -> None:
    assert one_sided_p(gains, shift) == pytest.approx(enumerated(gains, shift))


@pytest.mark.parametrize("n", [5, 8, 12])
def test_scipy_finds_the_same(n) -> None:
    gains = np.random.default_rng(n).normal(0.3, 1.0, n)
    found = stats.permutation_test(
        (gains,), np.mean, permutation_type="samples", alternative="greater", n_resamples=np.inf
    )
    assert one_sided_p(gains) == pytest.approx(found.pvalue)
    both = stats.permutation_test((gains,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert two_sided_p(gains) == pytest.approx(both.pvalue)


def test_drawn_patterns_come_near_to_all_and_to_student() -> None:
    gains = np.random.default_rng(3).normal(0.25, 1.0, 18)
    sums = np.zeros(1)
    for gain in gains:
        sums = np.concatenate([sums, sums + gain])
    exact = float(np.mean(sums <= 0.0))
    assert one_sided_p(gains) == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 2**15))
    many = np.random.default_rng(4).normal(0.1, 1.0, 300)
    assert one_sided_p(many) == pytest.approx(stats.ttest_1samp(many, 0.0, alternative="greater").pvalue, abs=0.01)
    half = stats.t.ppf(0.975, 299) * many.std(ddof=1) / math.sqrt(300)
    assert gain_interval(many, 0.95) == pytest.approx((many.mean() - half, many.mean() + half), abs=0.05 * half)


@given(GAINS, st.sampled_from([0.01, 0.025, 0.05, 0.2]), st.integers(-40, 40))
@settings(max_examples=80, deadline=None)
def test_the_bound_and_the_test_say_the_same(gains, alpha, place) -> None:
    shift = place / 64.0 + 1 / 1000
    refuted = one_sided_p(gains, shift) <= alpha
    assert refuted == (shift < lower_bound(gains, alpha))


@given(GAINS)
@settings(max_examples=40, deadline=None)
def test_it_knows_no_order_no_unit_and_no_side(gains) -> None:
    p = one_sided_p(gains)
    assert one_sided_p(gains[::-1]) == p
    assert one_sided_p(8.0 * gains) == p
    low, high = gain_interval(gains, 0.8)
    assert gain_interval(-gains, 0.8) == (-high, -low)
    assert lower_bound(gains + 2.0, 0.2) == pytest.approx(lower_bound(gains, 0.2) + 2.0)
    assert low <= gains.mean() <= high
    assert p >= smallest_p(len(gains))


def test_by_hand() -> None:
    # Subset means of 1, 2, 4, smallest first: 1, 1.5, 2, 7/3, 2.5, 3, 4.
    gains = np.array([4.0, 1.0, 2.0])
    assert lower_bound(gains, 1 / 8) == 1.0
    assert lower_bound(gains, 2 / 8) == 1.5
    assert upper_bound(gains, 1 / 8) == 4.0
    assert lower_bound(gains, 0.1) == -math.inf, "three patients can't refute at a tenth"
    assert one_sided_p(gains) == 1 / 8
    assert one_sided_p(np.zeros(4)) == 1.0
    assert math.isnan(one_sided_p(np.empty(0)))
    assert math.isnan(lower_bound(np.empty(0), 0.1))
    assert math.isnan(two_sided_p(np.empty(0)))


@pytest.mark.parametrize("n", [8, 20])
@pytest.mark.parametrize("n_undefined", [1, 8])
def test_what_is_no_number_shows_nothing(n, n_undefined):
    gains = np.full(n, 0.1)
    gains[:n_undefined] = math.nan
    assert math.isnan(one_sided_p(gains))
    assert math.isnan(two_sided_p(gains))
    assert all(math.isnan(bound) for bound in gain_interval(gains, 0.9))


def test_no_more_than_alpha_of_equal_challengers_pass_at_few_patients() -> None:
    draws = np.random.default_rng(5).normal(0.0, 1.0, (4000, 8))
    share = np.mean([one_sided_p(gains) <= 0.025 for gains in draws])
    # Six of 256 patterns are what alpha allows.
    assert share == pytest.approx(6 / 256, abs=3 * math.sqrt(6 / 256 / 4000))


@pytest.mark.parametrize("n_patients", [1, 5, 16, 40])
def test_the_smallest_p_is_that_of_patients_who_are_all_better(n_patients) -> None:
    """1 of 2^n patterns where all are gone through, 16 patients included; else 1 of those drawn and the one that was seen."""
    expected = 0.5**n_patients if n_patients <= 16 else 1 / 32_768
    assert smallest_p(n_patients) == expected
    assert one_sided_p(np.arange(1.0, n_patients + 1.0)) == expected


def test_twice_a_p_above_a_half_is_one() -> None:
    assert one_sided_p(np.array([1.0, -1.0])) == 0.75  # of ++, +-, -+, -- all but one give as much
    assert two_sided_p(np.array([1.0, -1.0])) == 1.0


def test_the_bounds_are_order_statistics_of_all_subset_means() -> None:
    """Of 11 patients, by itertools: 2,047 means in order; with the pattern that was seen, alpha is a multiple of 1 / 2,048."""
    gains = np.random.default_rng(11).normal(0.2, 1.0, 11)
    means = sorted(
        math.fsum(chosen) / size for size in range(1, 12) for chosen in itertools.combinations(gains.tolist(), size)
    )
    ranks = range(1, len(means) + 1)
    assert [lower_bound(gains, rank / 2048) for rank in ranks] == pytest.approx(means, rel=1e-12)
    assert [upper_bound(gains, rank / 2048) for rank in ranks] == pytest.approx(means[::-1], rel=1e-12)
    assert lower_bound(gains, 0.999 / 2048) == -math.inf


def test_plain_lists_and_whole_numbers_are_taken() -> None:
    assert one_sided_p([1, 2, 3]) == two_sided_p([1, 2, 3]) / 2 == 1 / 8
    assert lower_bound([4, 1, 2], 2 / 8) == 1.5
    assert upper_bound([4, 1, 2], 1 / 8) == 4.0
