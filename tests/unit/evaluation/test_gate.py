import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lesionflow.evaluation import statistics
from lesionflow.evaluation.gate import PromotionRules, decide

RULES = PromotionRules(
    metric="dice",
    direction=1,
    min_test_patients=4,
    min_score=0.6,
    min_gain=0.0,
    confidence_level=0.95,
    n_bootstrap=2000,
    seed=7,
)
GOOD = [0.80, 0.85, 0.75, 0.90, 0.82, 0.78]


def _table(scores, **columns):
    n = len(scores)
    table = {"case_id": [f"c{i}" for i in range(n)], "patient_id": [f"p{i}" for i in range(n)], "target": "tumor"}
    return pd.DataFrame({**table, "dice": scores, **columns})


def _shift(scores, by):
    return [score + by for score in scores]


def _broken(decision):
    return [reason.rule for reason in decision.reasons if not reason.held]


NAN = math.nan
SITUATIONS = {
    # name: (challenger, champion, changes of the rules, same test set, rules that do not hold)
    "no champion, floors held": (GOOD, None, {}, True, []),
    "no champion, score exactly at the floor": ([0.5, 0.75] * 2, None, {"min_score": 0.625}, True, []),
    "no champion, below the floor": ([0.5, 0.6, 0.5, 0.6], None, {}, True, ["min_score"]),
    "no champion, too few patients": (GOOD[:3], None, {}, True, ["enough_patients"]),
    "no champion, another test set": (GOOD, None, {}, False, ["same_test_set"]),
    "no champion, one NaN": ([*GOOD, NAN], None, {}, True, ["scores_defined"]),
    "no scores at all": ([], None, {}, True, ["enough_patients", "min_score"]),
    "only NaN": ([NAN] * 5, None, {}, True, ["scores_defined", "enough_patients", "min_score"]),
    "better for everybody": (GOOD, _shift(GOOD, -0.05), {}, True, []),
    "a tie": (GOOD, GOOD, {}, True, ["better_than_champion"]),
    "a tie that may be": (GOOD, GOOD, {"min_gain": -0.01}, True, []),
    "worse for everybody": (_shift(GOOD, -0.05), GOOD, {}, True, ["better_than_champion"]),
    "better by luck: one patient": (GOOD, [*GOOD[:5], 0.3], {}, True, ["better_than_champion"]),
    "better, but not by enough": (GOOD, _shift(GOOD, -0.05), {"min_gain": 0.06}, True, ["better_than_champion"]),
    "better, below the floor": ([0.5] * 5, [0.4] * 5, {}, True, ["min_score"]),
    "better, too few patients": (GOOD[:3], _shift(GOOD[:3], -0.1), {}, True, ["enough_patients"]),
    "better on another test set": (GOOD, _shift(GOOD, -0.05), {}, False, ["same_test_set"]),
    "challenger NaN alone": ([*GOOD, NAN], _shift([*GOOD, 0.8], -0.05), {}, True, ["scores_defined"]),
    "champion NaN alone": ([*GOOD, 0.8], [*_shift(GOOD, -0.05), NAN], {}, True, ["scores_defined"]),
    "NaN for both": ([*GOOD, NAN], [*_shift(GOOD, -0.05), NAN], {}, True, []),
    "NaN for both leaves too few": (
        [*GOOD[:3], NAN],
        [*_shift(GOOD[:3], -0.05), NAN],
        {},
        True,
        ["enough_patients"],
    ),
    "challenger lacks a case": (GOOD[:5], _shift(GOOD, -0.05), {}, True, ["same_test_set"]),
    "champion lacks a case": (GOOD, _shift(GOOD[:5], -0.05), {}, True, ["same_test_set", "scores_defined"]),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_situations(name):
    challenger, champion, changes, same, broken = SITUATIONS[name]
    theirs = None if champion is None else _table(champion)
    decision = decide(_table(challenger), theirs, dataclasses.replace(RULES, **changes), same_test_set=same)
    assert _broken(decision) == broken
    assert decision.promote is (broken == [])
    assert [reason.rule for reason in decision.reasons] == [
        "same_test_set",
        "scores_defined",
        "enough_patients",
        "min_score",
        "better_than_champion",
    ]


def test_lower_is_better_for_distances():
    rules = dataclasses.replace(RULES, metric="hd95_mm", direction=-1, min_score=10.0)
    near, far = (
        _table(GOOD, hd95_mm=[4.0, 6.0, 8.0, 3.0, 5.0, 4.0]),
        _table(GOOD, hd95_mm=[9.0, 9.0, 9.5, 8.0, 9.0, 9.0]),
    )
    assert decide(near, far, rules, same_test_set=True).promote
    assert _broken(decide(far, near, rules, same_test_set=True)) == ["better_than_champion"]
    assert _broken(decide(near, far, dataclasses.replace(rules, min_score=4.0), same_test_set=True)) == ["min_score"]


def test_a_case_scored_twice_is_no_pair():
    twice = pd.concat([_table(GOOD), _table(GOOD[:1])])
    assert _broken(decide(twice, None, RULES, same_test_set=True)) == ["same_test_set"]


def test_another_target_is_another_test_set():
    other = _table(_shift(GOOD, -0.05)).assign(target="edema")
    assert "same_test_set" in _broken(decide(_table(GOOD), other, RULES, same_test_set=True))


def test_the_unpaired_and_undefined_are_named():
    reasons = decide(_table(GOOD), _table([*GOOD[:4], NAN]), RULES, same_test_set=True).reasons
    assert "c5" in reasons[0].detail
    assert "c4, c5" in reasons[1].detail


def test_a_patient_counts_once_however_many_cases():
    table = _table([0.9, 0.9, 0.9, 0.3, 0.5]).assign(patient_id=["p0", "p0", "p0", "p1", "p2"])
    decision = decide(table, None, RULES, same_test_set=True)
    assert decision.reasons[2].figures == {"n_patients": 3.0}
    assert decision.reasons[3].figures["score"] == pytest.approx((0.9 + 0.3 + 0.5) / 3)


def test_rows_of_another_order_pair_by_case():
    theirs = _table(_shift(GOOD, -0.05)).iloc[::-1]
    decision = decide(_table(GOOD), theirs, RULES, same_test_set=True)
    assert decision.promote
    figures = decision.reasons[4].figures
    assert figures["gain"] == pytest.approx(0.05)
    assert figures["gain_low"] == pytest.approx(0.05)


def test_the_interval_agrees_with_scipy():
    rng = np.random.default_rng(3)
    ours, theirs = rng.uniform(0.6, 0.9, 40), rng.uniform(0.55, 0.9, 40)
    rules = dataclasses.replace(RULES, n_bootstrap=20_000, confidence_level=0.9)
    figures = decide(_table(ours), _table(theirs), rules, same_test_set=True).reasons[4].figures
    expected = stats.bootstrap(
        (ours - theirs,), np.mean, n_resamples=20_000, confidence_level=0.9, method="percentile", rng=5
    ).confidence_interval
    # Two bootstraps of 20,000 resamples differ by about a hundredth of the interval.
    tolerance = 0.02 * (expected.high - expected.low)
    assert figures["gain_low"] == pytest.approx(expected.low, abs=tolerance)
    assert figures["gain_high"] == pytest.approx(expected.high, abs=tolerance)


def test_the_decision_repeats_and_memory_is_bounded(monkeypatch):
    tables = _table(GOOD), _table(_shift(GOOD, -0.05)[::-1])
    first = decide(*tables, RULES, same_test_set=True)
    assert decide(*tables, RULES, same_test_set=True) == first
    monkeypatch.setattr(statistics, "DRAWS_AT_A_TIME", 70)
    assert decide(*tables, RULES, same_test_set=True) == first, "drawn in parts, the same numbers are drawn"
