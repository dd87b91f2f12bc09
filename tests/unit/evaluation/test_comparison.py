"""Differences between two models: on simulated data whose truth is known, against SciPy and by hand."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, permutation_test, ttest_1samp

from lesionflow.errors import ArtifactError
from lesionflow.evaluation.comparison import MetricDifference, compare_tables, holm, measure_seed_noise, sign_flip_p

SETTINGS = {"n_bootstrap": 1000, "confidence_level": 0.95, "seed": 5}


def _table(dice, hd95=None, target="tumor", patients=None) -> pd.DataFrame:
    n = len(dice)
    return pd.DataFrame(
        {
            "case_id": [f"c-{i:03}" for i in range(n)],
            "patient_id": [f"p-{i:03}" for i in range(n)] if patients is None else patients,
            "target": target,
            "dice": dice,
            "hd95_mm": np.full(n, 10.0) if hd95 is None else hd95,
        }
    )


def test_a_known_gain_lies_in_the_interval_as_often_as_stated() -> None:
    # 150 experiments of 30 patients: the truth is +0.02; patients differ far more than models do.
    random = np.random.default_rng(1)
    covered, told = 0, 0
    for seed in range(150):
        patients = random.normal(0.7, 0.15, 30)
        one = _table(patients)
        two = _table(patients + 0.02 + random.normal(0, 0.04, 30))
        [found] = compare_tables(one, two, ["dice"], n_bootstrap=400, confidence_level=0.95, seed=seed)
        covered += found.low <= 0.02 <= found.high
        told += found.verdict(0.95) == "better"
        assert found.verdict(0.95) != "worse"
    # Three standard errors of a share of 150 (5 %) around 95 %, and the percentile interval's shortfall at n = 30 (2 %).
    assert 0.88 <= covered / 150 <= 1.0
    # The paired t-test's power at this effect (0.5 deviations, n = 30) is 0.75.
    assert 0.64 <= told / 150 <= 0.86


def test_without_a_difference_chance_is_called_chance() -> None:
    random = np.random.default_rng(2)
    p_values, wrong = [], 0
    for seed in range(300):
        patients = random.normal(0.7, 0.15, (2, 9))
        names = ["dice", "hd95_mm"]
        one, two = (
            _table(patients[0] + random.normal(0, 0.05, 9), 10 * patients[1] + random.normal(0, 1, 9)) for _ in range(2)
        )
        found = compare_tables(one, two, names, n_bootstrap=50, confidence_level=0.95, seed=seed)
        p_values.append(found[0].p)
        wrong += any(difference.verdict(0.95) != "not told apart" for difference in found)
    # p is uniform (its mean 0.5 with standard error 0.017), and Holm keeps both metrics' errors together below 5 %.
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.06)
    assert wrong / 300 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


@pytest.mark.parametrize("n_patients", [5, 9, 14])
def test_few_patients_get_the_exact_p_of_scipy(n_patients: int) -> None:
    differences = np.random.default_rng(n_patients).normal(0.3, 1.0, n_patients)
    theirs = permutation_test(
        (differences, np.zeros(n_patients)), lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=np.inf,
    )  # fmt: skip
    assert sign_flip_p(differences, seed=1) == pytest.approx(theirs.pvalue)


def test_the_smallest_p_of_five_patients_is_known_by_hand() -> None:
    # All five better: only two of the 32 sign patterns are as large.
    assert sign_flip_p(np.array([0.1, 0.2, 0.3, 0.4, 0.5]), seed=1) == 2 / 32
    assert sign_flip_p(np.zeros(6), seed=1) == 1.0
    assert sign_flip_p(np.zeros(40), seed=1) == 1.0
    assert math.isnan(sign_flip_p(np.empty(0), seed=1))
    # Thirds do not add up to whole numbers in binary; equal sums must still count as equal.
    thirds = np.array([1 / 3, 1 / 3, 1 / 3, -1.0])
    by_hand = np.mean(
        [abs(sum(s * d for s, d in zip(signs, thirds, strict=True))) > -1 for signs in product((-1, 1), repeat=4)]
    )
    assert sign_flip_p(thirds, seed=1) == by_hand == 1.0


def test_many_patients_get_a_p_near_the_exact_one() -> None:
    differences = np.random.default_rng(4).normal(0.25, 1.0, 60)
    assert sign_flip_p(differences, seed=3) == pytest.approx(ttest_1samp(differences, 0).pvalue, abs=0.012)
    assert sign_flip_p(differences + 5, seed=3) == pytest.approx(1 / 20_001)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, math.nan, 0.005]) == pytest.approx([0.03, 0.06, 0.06, math.nan, 0.02], nan_ok=True)
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    # It is never milder than Benjamini and Hochberg's rule, which controls less.
    p = np.random.default_rng(0).random(12) ** 3
    assert all(np.array(holm(list(p))) >= false_discovery_control(p) - 1e-12)


def test_a_gain_points_to_better_whichever_way_the_metric_points() -> None:
    one, two = _table([0.5, 0.6, 0.7, 0.6, 0.5, 0.4], [9.0] * 6), _table([0.7, 0.8, 0.9, 0.8, 0.7, 0.6], [4.0] * 6)
    dice, hd95 = compare_tables(one, two, ["dice", "hd95_mm"], **SETTINGS)
    assert (dice.gain, dice.first, dice.second) == pytest.approx((0.2, 0.55, 0.75))
    assert (hd95.gain, hd95.first, hd95.second) == pytest.approx((5.0, 9.0, 4.0))
    assert (dice.p, dice.p_corrected) == pytest.approx((2 / 64, 4 / 64))
    assert dice.verdict(0.9) == "better"
    assert hd95.sentence(0.9) == "better by 5 mm [5, 5], p = 0.062"
    back = compare_tables(two, one, ["dice"], **SETTINGS)[0]
    assert back.sentence(0.95) == "worse by 0.2 [0.2, 0.2], p = 0.031"
    assert dice.sentence(0.95) == "not told apart: +0.2 [0.2, 0.2], p = 0.062"


def test_a_patient_counts_once_and_what_one_model_lacks_is_told() -> None:
    patients = ["a", "a", "a", "b"]
    one = _table([0.2, 0.2, 0.2, 0.8], [1.0, np.nan, 3.0, 5.0], patients=patients)
    two = _table([0.4, 0.4, 0.4, 0.8], [2.0, 2.0, np.nan, 5.0], patients=patients)
    dice, hd95 = compare_tables(one, two, ["dice", "hd95_mm"], **SETTINGS)
    assert dice.gain == pytest.approx((0.2 + 0.0) / 2)
    assert dice.n_patients == 2
    # Only the first case of patient a has both: worse by 1 mm there, alike in b.
    assert (hd95.n_undefined_for_one, hd95.gain) == (2, -0.5)
    nowhere = compare_tables(one.assign(dice=np.nan), two, ["dice"], **SETTINGS)[0]
    assert (nowhere.n_patients, nowhere.n_undefined_for_one) == (0, 4)
    assert nowhere.sentence(0.95) == "no patient has the figure for both"
    assert nowhere.verdict(0.95) == "not told apart"


def test_targets_are_corrected_each_for_itself() -> None:
    one = pd.concat([_table([0.5] * 6, target="whole"), _table([0.5] * 6, target="core")])
    two = pd.concat([_table([0.6] * 6, target="whole"), _table([0.5] * 6, target="core")])
    found = compare_tables(one, two, ["dice"], **SETTINGS)
    assert [(d.target, d.p_corrected) for d in found] == [("whole", 2 / 64), ("core", 1.0)]


def test_other_cases_are_refused_by_name() -> None:
    one = _table([0.5] * 9)
    with pytest.raises(ArtifactError, match=r"c-008 for one alone"):
        compare_tables(one, one[:-1], ["dice"], **SETTINGS)
    with pytest.raises(ArtifactError, match=r"c-004 and 4 more"):
        compare_tables(one, one.assign(target="core"), ["dice"], **SETTINGS)
    with pytest.raises(ArtifactError, match="twice"):
        compare_tables(pd.concat([one, one]), pd.concat([one, one]), ["dice"], **SETTINGS)


def test_a_metric_that_one_evaluation_lacks_is_named() -> None:
    one = _table([0.5] * 9)
    for first, second in ((one, one.drop(columns="hd95_mm")), (one.drop(columns="hd95_mm"), one)):
        with pytest.raises(ArtifactError, match="scored by hd95_mm, found one without"):
            compare_tables(first, second, ["dice", "hd95_mm"], **SETTINGS)


def test_worse_by_turns_the_whole_interval() -> None:
    # The interval alone does not decide: a skewed one may hold 0 while the test tells the two apart.
    worse = MetricDifference("dice", "tumor", 0.6, 0.5, -0.1, -0.3, 0.01, 0.002, 0.01, 30, 0)
    assert worse.sentence(0.95) == "worse by 0.1 [-0.01, 0.3], p = 0.010"
    assert worse._replace(gain=0.1, low=-0.01, high=0.3).sentence(0.95) == "better by 0.1 [-0.01, 0.3], p = 0.010"


def test_the_sentence_says_so_when_p_is_tiny() -> None:
    difference = MetricDifference("dice", "tumor", 0.5, 0.6, 0.1, 0.05, 0.15, 1e-5, 1e-4, 30, 0)
    assert difference.sentence(0.95) == "better by 0.1 [0.05, 0.15], p < 0.001"


def test_seed_noise_by_hand() -> None:
    # Means over patients 0.5, 0.6 and 0.7 (the first patient has two cases): deviation 0.1; t of 2 degrees is 4.3027.
    patients = ["a", "a", "b"]
    tables = [_table([v - 0.2, v, v + 0.1], patients=patients) for v in (0.5, 0.6, 0.7)]
    dice, hd95 = measure_seed_noise(tables, ["dice", "hd95_mm"], 0.95)
    assert (dice.n_trainings, dice.deviation) == (3, pytest.approx(0.1))
    assert dice.limit == pytest.approx(4.3027 * math.sqrt(2) * 0.1, rel=1e-4)
    assert (hd95.deviation, hd95.limit) == (0.0, 0.0)
    with pytest.raises(ArtifactError, match="two trainings or more"):
        measure_seed_noise(tables[:1], ["dice"], 0.95)
    with pytest.raises(ArtifactError, match="for one alone"):
        measure_seed_noise([tables[0], tables[1][:2]], ["dice"], 0.95)


def test_two_trainings_differ_by_more_than_the_limit_as_seldom_as_stated() -> None:
    # 200 times: three trainings give the limit, a fourth and the first are compared. Truth: only the seed differs.
    random = np.random.default_rng(6)
    beyond = 0
    for _ in range(200):
        means = random.normal(0.7, 0.02, 5)
        tables = [_table([mean] * 3) for mean in means]
        [noise] = measure_seed_noise(tables[:3], ["dice"], 0.95)
        beyond += abs(means[3] - means[4]) > noise.limit
    assert 0.05 - 3 * math.sqrt(0.05 * 0.95 / 200) <= beyond / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)
