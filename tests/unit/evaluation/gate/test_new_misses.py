import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from lesionflow.evaluation.gate.new_misses import count_new_misses, level_of_groups, no_new_misses
from lesionflow.evaluation.gate.paired_scores import ScoredPair
from support.change_plans import change_plan
from support.paired_scores import scores_of

SITES = change_plan(subgroups={"columns": ["site"], "min_patients": 8, "margin": 0.05})


def pair(n: int = 40) -> ScoredPair:
    return ScoredPair(scores_of(np.full(n, 0.8)), scores_of(np.full(n, 0.7)))


def lesions(*per_patient: tuple[float, bool, bool]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of both: each of these lesions (ml, found by the challenger, by the champion) in a patient of its own number."""
    rows = [(f"c{i}", f"p{i}", ml, ours, theirs) for i, ml, ours, theirs in per_patient]
    tables = []
    for side in (3, 4):
        table = pd.DataFrame(
            [(row[0], row[1], "tumor", "reference", row[2], row[side]) for row in rows],
            columns=["case_id", "patient_id", "target", "kind", "volume_ml", "matched"],
        )
        tables.append(table)
    return tables[0], tables[1]


def sites(names: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"case_id": [f"c{i}" for i in range(len(names))], "site": names})


def test_a_smaller_one_found_does_not_undo_a_large_one_missed() -> None:
    trade = [row for i in range(40) for row in ((i, 30.0, False, True), (i, 12.0, True, False))]
    [found] = no_new_misses(pair(), change_plan(), lesions(*trade), None)
    assert not found.held
    assert found.refuses
    assert (
        "40 newly missed in 40 patients, 40 newly found in 40 (missed: c0, c1, c10, c11, c12 and 35 more)"
        in found.detail
    )
    assert found.figures["p"] == pytest.approx(0.5**40)


def test_lesions_that_are_traded_for_others_as_large_are_told_and_refused() -> None:
    trade = [row for i in range(40) for row in ((i, 30.0, False, True), (i, 30.0, True, False))]
    [found] = no_new_misses(pair(), change_plan(), lesions(*trade), None)
    assert (found.held, found.figures["p"]) == (False, 1.0)
    assert (
        "100% is newly missed on average, at least 0.93 of it as the 40 patients show; 0.25 is allowed" in found.detail
    )
    assert found.figures["missed_share_low"] == pytest.approx(0.05 ** (1 / 40))


def test_a_better_one_that_misses_here_what_it_makes_good_elsewhere_passes_and_it_is_said() -> None:
    rows = [(i, 20.0, True, True) for i in range(40) for _ in range(4)]
    rows += [(i, 11.0, False, True) for i in range(6)] + [(i, 40.0, True, False) for i in range(30)]
    [found] = no_new_misses(pair(), change_plan(), lesions(*rows), None)
    assert found.held
    assert "6 newly missed in 6 patients, 30 newly found in 30 (missed: c0, c1, c2, c3, c4 and 1 more)" in found.detail
    assert (found.figures["n_losing"], found.figures["n_gaining"]) == (0.0, 30.0)


def test_all_four_patients_of_one_site_of_a_hundred() -> None:
    rows = [(i, 20.0, i >= 4, True) for i in range(100)]
    overall, by_site = no_new_misses(pair(100), SITES, lesions(*rows), sites(["A"] * 4 + ["B"] * 96))
    assert overall.held
    assert not by_site.held
    assert by_site.rule == "no_new_misses_by_group"
    assert "patients with site A: 4 newly missed in 4 patients, 0 newly found in 0" in by_site.detail
    # All of four: at least the fourth root of 5 %.
    assert "at least 0.47 of it" in by_site.detail
    two = no_new_misses(pair(100), SITES, lesions(*rows), sites(["C", "C", "D", "D"] + ["B"] * 96))
    assert all(reason.held for reason in two), "two patients are what chance makes"


def test_a_site_that_misses_is_not_made_good_by_another_that_finds() -> None:
    rows = [(i, 20.0, i >= 10, not 10 <= i < 20) for i in range(100)]
    overall, by_site = no_new_misses(pair(100), SITES, lesions(*rows), sites(["A"] * 10 + ["B"] * 90))
    assert overall.held
    assert not by_site.held
    spread = no_new_misses(pair(100), SITES, lesions(*rows), sites([f"{i % 3}" for i in range(100)]))
    assert all(reason.held for reason in spread)
    assert "in each of 3 declared groups: in none" in spread[1].detail


def test_without_lesions_a_case_is_one() -> None:
    ours = scores_of([0.0] * 5 + [0.7] * 35, reference_ml=20.0, predicted_ml=[0.0] * 5 + [20.0] * 35)
    theirs = scores_of([0.7] * 40, reference_ml=20.0, predicted_ml=20.0)
    [found] = no_new_misses(ScoredPair(ours, theirs), change_plan(), None, None)
    assert (found.held, found.figures["p"]) == (False, 1 / 32)
    small = ScoredPair(ours.assign(reference_ml=2.0), theirs.assign(reference_ml=2.0))
    assert no_new_misses(small, change_plan(), None, None)[0].held
    assert no_new_misses(pair(), change_plan(), None, None)[0].held


def test_lesions_of_one_volume_are_told_by_their_order_and_one_that_a_table_lacks_was_not_found() -> None:
    ours, theirs = lesions((0, 20.0, False, True), (0, 20.0, True, True), (1, 15.0, True, True))
    [found] = no_new_misses(pair(2), change_plan(), (ours.iloc[:2], theirs), None)
    assert found.figures["n_new_misses"] == 2.0
    assert "2 newly missed in 2 patients" in found.detail
    turned = no_new_misses(pair(2), change_plan(), (theirs, ours), None)[0]
    assert turned.held


def test_the_share_is_a_patients_mean_and_its_bound_that_of_clopper_and_pearson() -> None:
    rows = pd.DataFrame(
        {
            "patient_id": ["a"] * 4 + ["b"] * 2 + ["c"],
            "volume_ml": 20.0,
            "ours": [False, True, True, True, False, True, True],
            "theirs": [True] * 6 + [False],
        }
    )
    seen = count_new_misses(rows, 0.05)
    assert (seen.share, seen.patients) == (pytest.approx((1 / 4 + 1 / 2) / 2), 2)
    assert seen.share_low == pytest.approx(beta.ppf(0.05, 0.75, 2.25))
    assert (seen.losing, seen.gaining, seen.finding) == (2, 1, 1)


def test_groups_too_small_to_decide_cost_the_others_nothing() -> None:
    assert level_of_groups([], 0.05) == 0.05
    # Five reach 1/32, which is no 0.05/2: two such groups are one test each at 0.05/2 = 0.025, which neither reaches.
    assert level_of_groups([5, 5], 0.05) == 0.025
    assert level_of_groups([6, 6, 4], 0.05) == 0.025
