import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lesionflow.workspace.retraining.forecast import Scatter, describe_power, scatter_of
from support.change_plans import change_plan


def _scores(values, patients=None, target="tumor"):
    names = patients or [f"p-{number}" for number in range(len(values))]
    return pd.DataFrame(
        {"case_id": [f"c-{n}" for n in range(len(values))], "patient_id": names, "target": target, "dice": values}
    )


def test_the_scatter_is_that_of_patients_means_and_of_differences_where_another_version_was_scored():
    one, other = (
        _scores([0.5, 0.7, 0.9, 0.3], ["a", "a", "b", "c"]),
        _scores([0.4, 0.6, 0.9, 0.6], ["a", "a", "b", "c"]),
    )
    assert scatter_of(one, None, change_plan()) == Scatter(np.std([0.6, 0.9, 0.3], ddof=1), 3, paired=False)
    found = scatter_of(one, other, change_plan())
    assert found.paired
    assert found.sd == pytest.approx(np.std([0.1, 0.0, -0.3], ddof=1))


def test_the_gain_told_is_what_a_t_test_of_so_many_patients_sees_four_times_in_five():
    plan = change_plan(looks=1, alpha=0.025)
    said = describe_power([Scatter(0.06, 40, paired=True)], 40, 0, plan)
    gain = float(said.split("a gain in Dice of ")[1].split(" ")[0])
    seen = stats.nct.sf(stats.t.isf(0.025, 39), 39, gain / 0.06 * math.sqrt(40))
    # That no rare loss hides behind it costs a point or two.
    assert seen == pytest.approx(0.815, abs=0.015)


def test_too_few_patients_and_spent_looks_are_said_before_a_training_is_paid_for():
    assert "can't be shown" in describe_power([Scatter(0.06, 4, paired=False)], 4, 0, change_plan())
    assert "All 20 looks" in describe_power([Scatter(0.06, 40, paired=False)], 40, 20, change_plan())
    assert "taken for that of differences" in describe_power([Scatter(0.06, 40, paired=False)], 40, 3, change_plan())


def test_two_versions_that_are_nearly_one_network_make_nobody_believe_in_a_small_gain():
    """A version 3 that was version 1 but for a learning rate of 1e-6 scattered by 0.012; the next challenger by 0.2."""
    pairs = [Scatter(0.012, 10, True, "versions 3 and 1"), Scatter(0.2, 10, True, "versions 2 and 1")]
    plan = change_plan(looks=1, alpha=0.025)
    said, alone = describe_power(pairs, 40, 0, plan), describe_power(pairs[1:], 40, 0, plan)
    assert said.startswith(alone)
    small = float(said.removeprefix(alone).split("scatter by 0.012, ")[1].split(" ")[0])
    assert small == pytest.approx(float(alone.split("a gain in Dice of ")[1].split(" ")[0]) * 0.06, abs=0.001)
    assert describe_power([Scatter(0.15, 10, paired=True), pairs[1]], 40, 0, plan) == alone.replace("; ", "; ", 1)
