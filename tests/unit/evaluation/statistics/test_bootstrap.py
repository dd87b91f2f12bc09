"""Intervals against closed forms and a plain loop."""

import numpy as np
import pandas as pd
import pytest

from lesionflow.evaluation.statistics import estimate_means, estimate_rate, estimate_share


def test_the_interval_is_that_of_the_normal_distribution_for_many_patients() -> None:
    values = np.random.default_rng(0).normal(0.7, 0.1, size=400)
    table = pd.DataFrame({"patient_id": [f"p-{i}" for i in range(400)], "dice": values})
    found = estimate_means(table, ["dice"], n_bootstrap=4000, confidence_level=0.95, seed=1)["dice"]
    half = 1.959964 * values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert (found.n, found.n_undefined) == (400, 0)


def test_a_patient_counts_once_however_many_cases_he_has() -> None:
    table = pd.DataFrame({"patient_id": ["a", "a", "a", "b"], "dice": [0.0, 0.0, 0.0, 1.0]})
    found = estimate_means(table, ["dice"], n_bootstrap=2000, confidence_level=0.95, seed=1)["dice"]
    assert found.mean == 0.5
    assert found.n == 2


def test_undefined_values_are_counted_and_never_averaged() -> None:
    table = pd.DataFrame({"patient_id": list("abcd"), "hd95_mm": [2.0, np.nan, 4.0, np.nan], "assd_mm": [np.nan] * 4})
    found = estimate_means(table, ["hd95_mm", "assd_mm"], n_bootstrap=500, confidence_level=0.9, seed=1)
    assert found["hd95_mm"].mean == 3.0
    assert (found["hd95_mm"].n, found["hd95_mm"].n_undefined) == (2, 2)
    assert found["hd95_mm"].low >= 2.0
    assert np.isnan(found["assd_mm"].mean)
    assert (found["assd_mm"].n, found["assd_mm"].n_undefined) == (0, 4)


def test_the_same_seed_gives_the_same_interval_and_another_another() -> None:
    table = pd.DataFrame({"patient_id": list("abcdefgh"), "dice": np.linspace(0, 1, 8)})
    one, same, other = (
        estimate_means(table, ["dice"], n_bootstrap=300, confidence_level=0.9, seed=seed)["dice"] for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_one_patient_gives_no_width() -> None:
    table = pd.DataFrame({"patient_id": ["a"], "dice": [0.4]})
    found = estimate_means(table, ["dice"], n_bootstrap=100, confidence_level=0.95, seed=1)["dice"]
    assert (found.low, found.mean, found.high) == (0.4, 0.4, 0.4)


def test_a_share_is_over_all_lesions_and_drawn_by_patient() -> None:
    # Patient a: 9 of 10 lesions found; b: 0 of 2; c has none and changes nothing but the draws.
    table = pd.DataFrame({"patient_id": list("aabc"), "found": [4, 5, 0, 0], "lesions": [5, 5, 2, 0]})
    found = estimate_share(table, "found", "lesions", n_bootstrap=4000, confidence_level=0.9, seed=1)
    assert found.mean == pytest.approx(9 / 12)
    assert found.n == 2
    assert (found.low, found.high) == (0.0, 0.9)
    nothing = estimate_share(table[3:], "found", "lesions", n_bootstrap=50, confidence_level=0.9, seed=1)
    assert np.isnan(nothing.mean)
    assert nothing.n == 0


def test_the_draws_are_those_of_a_plain_loop() -> None:
    values = np.array([0.1, 0.5, np.nan, 0.9, 0.3])
    table = pd.DataFrame({"patient_id": list("abcde"), "dice": values})
    found = estimate_means(table, ["dice"], n_bootstrap=1500, confidence_level=0.9, seed=7)["dice"]
    random, means = np.random.default_rng(7), []
    for size in (1000, 500):
        for weights in random.multinomial(5, np.full(5, 0.2), size=size):
            drawn = np.repeat(values, weights)
            means.append(np.nan if np.isnan(drawn).all() else np.nanmean(drawn))
    assert (found.low, found.high) == pytest.approx(tuple(np.nanpercentile(means, (5, 95))))


def test_all_found_is_not_certainty() -> None:
    table = pd.DataFrame({"patient_id": [f"p{i}" for i in range(28)], "lesion_recall": 1.0, "found": 1, "lesions": 1})
    found = estimate_means(table, ["lesion_recall"], n_bootstrap=100, confidence_level=0.95, seed=1)["lesion_recall"]
    assert (found.mean, found.low, found.high) == pytest.approx((1.0, 0.025 ** (1 / 28), 1.0))
    rate = estimate_rate(table, "found", "lesions", confidence_level=0.95)
    assert (rate.mean, rate.low, rate.high, rate.n) == pytest.approx((1.0, 0.025 ** (1 / 28), 1.0, 28))
