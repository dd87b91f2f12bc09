from itertools import pairwise

import numpy as np
import pytest

from lesionflow.evaluation.gate.wording import at_level, told_apart


@pytest.mark.parametrize("excess", [1e-3, 1e-5, 1e-9, -1e-4, -1e-8])
def test_what_is_more_than_its_bound_reads_as_more(excess: float) -> None:
    for bound in (-0.05, 0.1, 12.5, 0.00416721):
        value, limit = told_apart(bound + excess, bound, bound_digits=2)
        assert np.sign(float(value) - float(limit)) == np.sign(excess)


def test_no_more_digits_than_it_takes() -> None:
    assert told_apart(-0.050449, -0.05, sign="+") == ("-0.0504", "-0.05")
    assert told_apart(-0.050049, -0.05, sign="+") == ("-0.05005", "-0.05")
    assert told_apart(0.123456, 0.05, sign="+") == ("+0.123", "0.05")
    assert told_apart(0.05, 0.05) == ("0.05", "0.05")
    assert told_apart(float("nan"), 0.05) == ("nan", "0.05")
    assert told_apart(float("-inf"), 0.05) == ("-inf", "0.05")


def test_a_level_is_said_for_each_alpha_by_itself() -> None:
    levels = [at_level(alpha) for alpha in (0.05, 0.025, 0.0042)]
    assert levels[:2] == ["with 95 % confidence", "with 97.5 % confidence"]
    assert all(one != other for one, other in pairwise(levels))
