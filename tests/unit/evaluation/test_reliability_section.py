"""What a reviewer reads of the model's own words: with bands, and with how many are behind each."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from lesionflow.evaluation.reliability import SAID, measure_reliability
from lesionflow.evaluation.reliability_section import reliability_section

COUNTS = pd.DataFrame(columns=["patient_id", "bin", "n", "sum_probability", "n_true"])


def _measured(**columns):
    n = len(columns["dice"])
    plain = {"patient_id": [f"p{i}" for i in range(n)], "reference_ml": 4.0, **dict.fromkeys(SAID, np.nan)}
    return measure_reliability(
        COUNTS, pd.DataFrame({**plain, **columns}), n_bootstrap=50, confidence_level=0.95, seed=1
    )


def test_ranking_and_review_by_hand():
    # Two failed patients, one of them with two studies; four good ones, of whom one is predicted below a failed one.
    found = _measured(
        patient_id=["a", "a", "b", "c", "d", "e", "f"],
        dice=[0.5, 0.9, 0.3, 0.6, 0.7, 0.8, 0.9],
        predicted_dice=[0.7, 0.5, 0.65, 0.6, 0.8, 0.9, 0.9],
        needs_review=[0.0, 1.0, 1.0, 1.0, 0.0, 0.0, np.nan],
        review_recall=[0.8] * 6 + [np.nan],
    )
    # Of 2 x 4 pairs of patients one is wrong: b (0.65) with c (0.6).
    assert (found.ranking.area, found.ranking.n_bad, found.ranking.n_good) == (7 / 8, 2, 4)
    assert found.review == (pytest.approx(0.8), 1, 2, 3, 6)
    page = reliability_section(found)
    low, high = beta.ppf(0.025, 1, 2), beta.ppf(0.975, 2, 1)
    assert "1 of 2 masks" in page
    assert f"{low:.3f} to {high:.3f}" in page
    assert "stated: 80%" in page
    assert "2 test patients failed: too few to say" in page


def test_the_band_that_few_patients_allow_is_told():
    told = {"stated_coverage": 5 / 6, "coverage_low": 0.549, "coverage_high": 0.99}
    page = reliability_section(_measured(dice=[0.9, 0.8], interval_low_ml=3.0, interval_high_ml=5.0, **told))
    assert "stated for 83% of cases (so few validation patients allow 55% to 99%) holds for" in page


def test_a_table_made_before_a_bundle_said_so_is_read_as_it_is():
    cases = pd.DataFrame({"patient_id": ["a", "b"], "dice": [0.5, 0.9], "predicted_dice": [0.6, 0.8], "reference_ml": 4.0,
                          "stated_coverage": 0.9, "interval_low_ml": 3.0, "interval_high_ml": 5.0, "oddity": 0.5})  # fmt: skip
    found = measure_reliability(COUNTS, cases, n_bootstrap=50, confidence_level=0.95, seed=1)
    assert found.review is None
    assert math.isnan(found.coverage_low)
    page = reliability_section(found)
    assert "stated for 90% of cases holds for" in page
    assert "Too few validation patients failed to say which masks need review." in page


def test_a_bundle_that_says_nothing_is_not_asked():
    assert reliability_section(_measured(dice=[0.9, 0.8])) == ""
