import numpy as np
import pytest

from lesionflow.cohort.drift import measure_drift
from support.case_tables import case_table


def _table(new, known=tuple(range(40))):
    table = case_table(40 + len(new))
    table["tumor_ml"] = [*map(float, known), *new]
    return table, set(table["case_id"][:40])


def test_a_case_beyond_the_champions_range_is_named_with_its_figure():
    table, seen = _table([20.0, 48.0, 50.0, -9.0, -11.0, np.nan])  # 0..39, a quarter of 39 beyond is 9.75
    drift = measure_drift(table, seen, ["tumor_ml", "spacing_row_mm"])
    assert drift.beyond == (*[None] * 42, "tumor_ml 50", None, "tumor_ml -11", None)
    assert drift.shift == 0.0, "six cases say nothing about a distribution"


def test_the_shift_is_the_largest_difference_of_the_cumulative_distributions():
    table, seen = _table(list(np.linspace(25, 39, 30)))
    # Just below 25, 25 of the champion's 40 cases lie, and none of the new.
    assert measure_drift(table, seen, ["tumor_ml"]).shift == pytest.approx(25 / 40)


def test_the_same_distribution_has_no_shift():
    table, seen = _table(list(np.linspace(0, 39, 30)))
    assert measure_drift(table, seen, ["tumor_ml"]) == ((None,) * 70, 0.0)


@pytest.mark.parametrize("n_seen", [0, 9, 40])
def test_without_enough_to_compare_there_is_no_drift(n_seen):
    table = case_table(40).assign(tumor_ml=np.arange(40.0) ** 3)
    assert measure_drift(table, set(table["case_id"][:n_seen]), ["tumor_ml"]).shift == 0.0
