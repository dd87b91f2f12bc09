"""The gate's errors in small: a few hundred simulated challengers of known truth. The whole: `python -m benchmarks gate`."""

import math

import pytest

from benchmarks.gate import PLAN, better, equal, failing_quarter, in_turn, organs, said, simulate
from lesionflow.config.change_plan import read_change_plan


@pytest.fixture(scope="module")
def plan():
    return read_change_plan(PLAN)


def test_equal_challengers_are_seldom_promoted_and_twenty_in_turn_too(plan) -> None:
    found = simulate(equal(20, "0.20"), plan, 250)
    # 3 %, and three standard errors of a share of 250.
    assert found.promoted <= 0.03 + 3 * math.sqrt(0.03 * 0.97 / 250)
    _, replaced = in_turn(12, "0.20", plan, 80)
    assert replaced <= 0.06 + 3 * math.sqrt(0.06 * 0.94 / 80)


def test_a_gain_is_promoted_as_often_as_was_said_before(plan) -> None:
    found = simulate(better(20, 0.045, 0.06), plan, 30)
    assert found.promoted == pytest.approx(said(0.045, 0.06, 20, plan), abs=0.05 + 3 * math.sqrt(0.15 * 0.85 / 30))


def test_a_quarter_that_fails_is_seen_and_no_organ_pays_for_another(plan) -> None:
    assert simulate(failing_quarter(40, 0.05), plan, 20).promoted <= 0.1
    assert organs(plan, 2) == 0.0
