from itertools import product

import pytest
from scipy.stats import binomtest

from lesionflow.evaluation.statistics.mcnemar import mcnemar_p


@pytest.mark.parametrize(("misses", "finds"), product((0, 1, 5), (0, 2, 7)))
def test_it_is_the_binomial_test_of_discordant_pairs(misses, finds) -> None:
    expected = binomtest(misses, misses + finds, 0.5, "greater").pvalue if misses + finds else 1.0
    assert mcnemar_p(misses, finds) == pytest.approx(expected)
