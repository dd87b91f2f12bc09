"""Parts of alpha, by hand, and what restores them."""

import numpy as np
import pytest

from lesionflow.evaluation.statistics.looks import alpha_left, alpha_of_look, fresh_patients_needed


@pytest.mark.parametrize("looks", [1, 3, 20])
def test_all_looks_together_spend_alpha_and_the_first_the_most(looks) -> None:
    parts = [alpha_of_look(look, looks, 0.05) for look in range(1, looks + 1)]
    assert sum(parts) == pytest.approx(0.05)
    assert parts == sorted(parts, reverse=True)
    assert alpha_of_look(looks + 1, looks, 0.05) == 0.0


def test_a_part_goes_with_the_look_to_the_power_of_minus_1_3() -> None:
    assert alpha_of_look(4, 20, 0.05) / alpha_of_look(2, 20, 0.05) == pytest.approx(2**-1.3)


def test_twenty_equal_challengers_in_turn_pass_no_more_often_than_alpha() -> None:
    parts = np.array([alpha_of_look(look, 20, 0.05) for look in range(1, 21)])
    # Of independent tests, the greatest chance that there is.
    assert 1.0 - np.prod(1.0 - parts) <= 0.05


def test_what_is_left_is_spent_by_one_plan_to_the_last_look_and_by_none_twice() -> None:
    spent = 0.0
    for look in range(1, 21):
        assert alpha_left(look, 20, 0.025, spent) == pytest.approx(alpha_of_look(look, 20, 0.025))
        spent += alpha_left(look, 20, 0.025, spent)
    assert spent == pytest.approx(0.025)
    assert alpha_left(21, 1000, 0.025, spent) == 0.0
    assert alpha_left(1, 20, 0.01, spent) == 0.0


def test_more_fresh_patients_than_were_seen_restore_the_budget() -> None:
    assert fresh_patients_needed(40, 8, 0.019) == 41
    assert fresh_patients_needed(3, 8, 0.019) == 5
    assert fresh_patients_needed(2, 4, 0.001) == 8, "ten patients are needed for a p of 0.001"
