"""Differences between two models: on simulated data whose truth is known, against SciPy and by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control

from lesionflow.errors import ArtifactError
from lesionflow.evaluation.comparison import (
    MetricDifference,
    compare_tables,
    holm,
    measure_seed_noise,
    of_shared_targets,
)
from lesionflow.evaluation.gate import Verdict, judge
from support.change_plans import change_plan

SETTINGS = {"confidence_level": 0.95}


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
    for _ in range(150):
        patients = random.normal(0.7, 0.15, 30)
        one = _table(patients)
        two = _table(patients + 0.02 + random.normal(0, 0.04, 30))
        [found] = compare_tables(one, two, ["dice"], **SETTINGS)
        covered += found.low <= 0.02 <= found.high
        told += found.verdict(0.95) == "better"
        assert found.verdict(0.95) != "worse"
    # Three standard errors of a share of 150 (5 %) around 95 %.
    assert 0.90 <= covered / 150 <= 1.0
    # The paired t-test's power at this effect (0.5 deviations, n = 30) is 0.75.
    assert 0.64 <= told / 150 <= 0.86


def test_without_a_difference_chance_is_called_chance() -> None:
    random = np.random.default_rng(2)
    p_values, wrong_first, wrong_other = [], 0, 0
    for _ in range(200):
        one, two = (_table(random.normal(0.7, 0.15, 9), random.normal(10, 1, 9)) for _ in range(2))
        one, two = (table.assign(assd_mm=random.normal(2, 1, 9)) for table in (one, two))
        found = compare_tables(one, two, ["dice", "hd95_mm", "assd_mm"], **SETTINGS)
        p_values.append(found[0].p)
        told = [difference.verdict(0.95) != "not told apart" for difference in found]
        wrong_first, wrong_other = wrong_first + told[0], wrong_other + any(told[1:])
    # p is uniform (its mean 0.5 with standard error 0.02), and Holm keeps the errors of all other metrics together below 5 %.
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.07)
    for wrong in (wrong_first, wrong_other):
        assert wrong / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


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
    assert (dice.p, dice.p_corrected, hd95.p_corrected) == pytest.approx((2 / 64, 2 / 64, 2 / 64))
    assert dice.verdict(0.9) == "better"
    assert hd95.sentence(0.9) == "better by 5 mm [5, 5], p = 0.031"
    back = compare_tables(two, one, ["dice"], **SETTINGS)[0]
    assert back.sentence(0.95) == "worse by 0.2 [0.2, 0.2], p = 0.031"
    assert dice.sentence(0.98) == "not told apart: +0.2 [0.2, 0.2], p = 0.031"
    few = compare_tables(one[:3], two[:3], ["dice"], **SETTINGS)[0]
    assert few.sentence(0.95) == "not told apart: +0.2, which 3 patients can't bound, p = 0.250"


def test_the_first_metric_keeps_its_p_and_the_others_share_theirs() -> None:
    one = _table([0.5] * 6, [9.0] * 6).assign(assd_mm=3.0)
    two = _table([0.6] * 6, [8.0] * 6).assign(assd_mm=2.0)
    found = compare_tables(one, two, ["dice", "hd95_mm", "assd_mm"], **SETTINGS)
    assert [d.p_corrected for d in found] == [2 / 64, 4 / 64, 4 / 64]


def test_what_the_gate_promotes_is_better_here_and_what_it_finds_worse_is_worse() -> None:
    random, verdicts = np.random.default_rng(9), set()
    for shift in np.repeat([-0.06, 0.0, 0.04, 0.08], 6):
        patients = random.normal(0.6, 0.1, 11)
        one, two = _table(patients), _table(patients + shift + random.normal(0, 0.05, 11))
        found = judge(two, one, change_plan(), looks_spent=0, subgroups=None, same_test_set=True)
        [said] = compare_tables(one, two, ["dice"], confidence_level=found.level)
        verdicts.add(found.verdict)
        assert (found.figures["gain_low"], found.figures["gain_high"]) == pytest.approx((said.low, said.high))
        if found.promote:
            assert said.verdict(found.level) == "better"
            assert said.low > 0.0
        if found.verdict is Verdict.WORSE:
            assert compare_tables(one, two, ["dice"], confidence_level=0.95)[0].verdict(0.95) == "worse"
    assert {Verdict.SUPERIOR, Verdict.WORSE, Verdict.CANT_TELL} <= verdicts


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
    with pytest.raises(ArtifactError, match=r"c-005 and 3 more"):
        compare_tables(one, one[:1], ["dice"], **SETTINGS)
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


def test_of_other_targets_what_both_find_is_left():
    whole, core = _table([0.5] * 6, target="whole"), _table([0.6] * 6, target="core")
    first, second = of_shared_targets(whole, pd.concat([whole, core]))
    assert list(first["target"].unique()) == list(second["target"].unique()) == ["whole"]
    assert len(compare_tables(first, second, ["dice"], **SETTINGS)) == 1
    with pytest.raises(ArtifactError, match="found core of one alone"):
        compare_tables(whole, pd.concat([whole, core]), ["dice"], **SETTINGS)
    with pytest.raises(ArtifactError, match="a target in common, found none"):
        of_shared_targets(whole, core)
