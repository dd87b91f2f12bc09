"""A claim holds its level where gains are skewed, as far as the patients show the skewness; p and bound say the same."""

import math

import numpy as np
import pytest
from scipy import stats

from lesionflow.evaluation.statistics.sign_flip import lower_bound, one_sided_p
from lesionflow.evaluation.statistics.skewness import claim_bound, claim_p, needed, skewed_p

ALPHA = 0.0193


def rare_losses(n: int, loss: float, chance: float, n_draws: int, seed: int) -> np.ndarray:
    """Gains of mean exactly 0: some patients lose, the others gain as much together."""
    random = np.random.default_rng(seed)
    gains = np.where(random.random((n_draws, n)) < chance, -loss, chance * loss / (1.0 - chance))
    return gains + random.normal(0.0, 0.005, gains.shape)


@pytest.mark.parametrize(("n", "loss", "chance"), [(100, 0.29, 0.05), (40, 0.25, 0.10), (100, 0.25, 0.10)])
def test_rare_losses_are_not_claimed_to_be_a_gain(n, loss, chance) -> None:
    """Of 100 patients of whom 5 % lose 0.29 the sign-flip test alone showed a gain in 11 %."""
    draws = rare_losses(n, loss, chance, 400, seed=n)
    flips = np.mean([one_sided_p(gains) <= ALPHA for gains in draws])
    claimed = np.mean([claim_p(gains) <= ALPHA for gains in draws])
    # Three standard errors of 400 draws are 2 points; draws in which nobody loses can't be told: of 40 patients 1.5 %.
    assert claimed < 0.035 < flips


def test_without_skewness_it_is_students_t() -> None:
    gains = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) + 0.7
    assert skewed_p(gains) == pytest.approx(stats.ttest_1samp(gains, 0.0, alternative="greater").pvalue)


def test_by_hand() -> None:
    # Mean 0.25, deviations -0.25 three times and 0.75: sd 0.5, skewness 4 / (3 x 2) x 0.375 / 0.125 = 2.
    u = 0.5
    transformed = u + 2.0 * u**2 / 3.0 + 4.0 * u**3 / 27.0 + 2.0 / 24.0
    assert skewed_p(np.array([0.0, 0.0, 0.0, 1.0])) == pytest.approx(stats.t.sf(2.0 * transformed, 3))


@pytest.mark.parametrize("seed", range(1, 7))
def test_bound_and_p_never_disagree(seed) -> None:
    random = np.random.default_rng(seed)
    gains = 0.05 - random.exponential(0.1, 12 + 9 * seed) * random.integers(0, 2)
    low = claim_bound(gains, ALPHA)
    assert low <= lower_bound(gains, ALPHA)
    scale = float(np.abs(gains).max())
    assert claim_p(gains, low - 1e-6 * scale) <= ALPHA
    assert claim_p(gains, low + 1e-6 * scale) > ALPHA


def test_the_inverse_is_one() -> None:
    gains = np.random.default_rng(3).gamma(0.5, 1.0, 30)
    skewness = stats.skew(gains, bias=False)
    u = float(needed(np.array(skewness), 30, 2.5))
    assert skewed_p(gains, float(gains.mean() - u * gains.std(ddof=1))) == pytest.approx(stats.t.sf(2.5, 29))


def test_gains_that_are_all_alike_are_told_by_the_signs_alone() -> None:
    assert claim_p(np.full(16, 0.1)) == 0.5**16
    assert claim_p(np.full(16, 0.1), 0.1) == 1.0
    assert claim_bound(np.full(16, 0.1), ALPHA) == pytest.approx(0.1)


def test_of_a_handful_the_signs_alone_tell() -> None:
    gains = np.append(np.full(14, 0.03), -0.05)
    assert claim_p(gains) == one_sided_p(gains) < 0.001
    assert claim_bound(gains, ALPHA) == lower_bound(gains, ALPHA)
    assert claim_p(np.append(gains, 0.03)) > 10 * one_sided_p(np.append(gains, 0.03))


def test_what_can_show_nothing() -> None:
    assert math.isnan(claim_p(np.array([])))
    assert math.isnan(claim_bound(np.array([0.1, math.nan]), ALPHA))
    assert claim_p(np.array([0.3])) == 0.5
    assert claim_bound(np.array([0.1, 0.2]), ALPHA) == -math.inf
