"""A model can't win by what it misses: means are shown with the number of their cases, and comparisons count a miss as worst.

The fault was met with other tools too: Project-MONAI/MONAI#9095 (a missed prediction leaves the mean of HD95), MIC-DKFZ/nnUNet#380,
AImageLab-zip/ToothFairy#5.
"""

import math

import numpy as np
import pandas as pd
import pytest

from lesionflow.evaluation.comparison import compare_tables, measure_seed_noise
from lesionflow.evaluation.empty_masks import comparable, outcomes, value_of, with_misses
from lesionflow.evaluation.gate import judge
from lesionflow.evaluation.page import tile
from lesionflow.evaluation.statistics import estimate_means
from lesionflow.metrics import HEADLINE, METRICS
from support.change_plans import change_plan
from support.masks import boxes
from support.missed_tumors import (
    DIAGONAL_MM,
    FAR,
    NEAR,
    NOTHING,
    SHAPE,
    TUMOR,
    as_of_version_0_1,
    finds_all,
    misses_four,
    scores,
)

SETTINGS = {"n_bootstrap": 200, "confidence_level": 0.95, "seed": 5}


#: The tumor in a box of seven times its size, and a lesion that is none.
TOO_LARGE = boxes(((1, 8, 8), (8, 30, 30)), ((2, 35, 35), (6, 39, 39)), shape=SHAPE)


def test_a_mean_says_how_many_cases_it_is_not_of() -> None:
    found = estimate_means(misses_four(), tuple(METRICS), **SETTINGS)
    hd95 = found["hd95_mm"]
    assert (hd95.mean, hd95.n, hd95.n_missed, hd95.n_undefined) == (1.0, 8, 4, 0)
    assert hd95.left_out() == "over 8 of 12 cases; 4 missed"
    assert "over 8 of 12 cases; 4 missed" in tile("hd95_mm", hd95)
    # What is bounded counts a miss as 0: 8 of 12 at most.
    assert found["surface_dice_2mm"].mean == pytest.approx(8 / 12)
    assert found["surface_dice_2mm"].left_out() == ""
    assert found["lesion_precision"].mean == pytest.approx(8 / 12)
    all_found = estimate_means(finds_all(), tuple(METRICS), **SETTINGS)
    assert (all_found["hd95_mm"].mean, all_found["hd95_mm"].left_out()) == (4.0, "")


def test_a_false_alarm_and_nothing_to_find_are_told_apart() -> None:
    table = scores([NEAR, TUMOR, NOTHING, NOTHING], [TUMOR, NOTHING, NOTHING, TUMOR])
    assert list(outcomes(table)) == ["both", "false alarm", "neither", "missed"]
    found = estimate_means(table, ("hd95_mm", "relative_volume_error", "surface_dice_2mm"), **SETTINGS)
    assert found["hd95_mm"].left_out() == "over 1 of 4 cases; 1 missed, 1 false alarm, 1 undefined"
    assert found["relative_volume_error"].left_out() == "over 2 of 4 cases; 1 false alarm, 1 undefined"
    # One within 2 mm, a miss and a false alarm of 0; both empty is left out.
    assert found["surface_dice_2mm"].mean == pytest.approx(1 / 3)


def test_a_patient_with_two_cases_keeps_the_one_that_has_a_distance() -> None:
    table = scores([NEAR, NOTHING]).assign(patient_id="p-00")
    found = estimate_means(table, ("hd95_mm",), **SETTINGS)["hd95_mm"]
    assert (found.mean, found.n, found.n_finite, found.n_missed) == (1.0, 1, 1, 1)


def test_where_models_are_compared_a_miss_is_as_far_as_the_image_is_wide() -> None:
    found = {d.metric: d for d in compare_tables(misses_four(), finds_all(), HEADLINE, confidence_level=0.95)}
    hd95 = found["hd95_mm"]
    # Eight cases worse by 3 mm, four better by the diagonal less 4 mm.
    assert hd95.gain == pytest.approx((8 * -3.0 + 4 * (DIAGONAL_MM - 4.0)) / 12)
    assert hd95.first == pytest.approx((8 * 1.0 + 4 * DIAGONAL_MM) / 12)
    assert hd95.second == 4.0
    assert (hd95.n_patients, hd95.n_undefined_for_one, hd95.n_worst_first, hd95.n_worst_second) == (12, 0, 4, 0)
    assert hd95.penalty().startswith("4 and 0 cases missed")
    for name in ("surface_dice_2mm", "lesion_precision", "lesion_recall"):
        assert (found[name].n_patients, found[name].n_undefined_for_one) == (12, 0)
    backwards = {d.metric: d for d in compare_tables(finds_all(), misses_four(), HEADLINE, confidence_level=0.95)}
    assert backwards["hd95_mm"].gain == pytest.approx(-hd95.gain)


def by_distance(metric: str, ceiling_mm: float, **changes):
    return change_plan(
        primary={"metric": metric, "target": "all", "min_gain": 0.0},
        noninferiority=[],
        floors=[{"metric": metric, "target": "all", "min_score": ceiling_mm}],
        **changes,
    )


@pytest.mark.parametrize("metric", ["hd95_mm", "hd_mm", "assd_mm"])
def test_the_gate_does_not_promote_what_misses(metric: str) -> None:
    asked = {"looks_spent": 0, "subgroups": None, "same_test_set": True}
    misses = judge(misses_four(), finds_all(), by_distance(metric, 50.0), **asked)
    assert not misses.promote
    by_rule = {reason.rule: reason for reason in misses.reasons}
    assert by_rule["scores_defined"].held
    assert by_rule["enough_patients"].figures == {"n_patients": 12.0}
    assert misses.figures["gain"] < 0
    # Whatever the metric, four masks are lost.
    assert by_rule["no_lost_masks"].figures["n_lost"] == 4
    assert not by_rule["no_lost_masks"].held
    back = judge(finds_all(), misses_four(), by_distance(metric, 50.0), **asked)
    assert back.figures["gain"] == -misses.figures["gain"]
    # Who finds them far off loses the eight that the other finds near: no gain of the four pays for that either.
    assert not back.promote
    # Without a champion too.
    alone = judge(misses_four(), None, by_distance(metric, 4.0), **asked)
    assert [reason.rule for reason in alone.broken] == [f"floor:tumor:{metric}"]


def test_who_finds_nothing_where_nothing_is_beats_who_raises_an_alarm() -> None:
    references = [TUMOR] * 4 + [NOTHING] * 2
    quiet, loud = scores([NEAR] * 4 + [NOTHING] * 2, references), scores([NEAR] * 4 + [TUMOR] * 2, references)
    found = {d.metric: d for d in compare_tables(loud, quiet, HEADLINE, confidence_level=0.95)}
    assert found["hd95_mm"].gain == pytest.approx(2 * DIAGONAL_MM / 6)
    assert found["surface_dice_2mm"].gain == pytest.approx(2 / 6)
    assert found["lesion_precision"].gain == pytest.approx(2 / 6)
    assert all(d.n_undefined_for_one == 0 for d in found.values())
    # Both quiet: the cases say nothing of either, and are left out.
    alike = {d.metric: d for d in compare_tables(quiet, quiet, HEADLINE, confidence_level=0.95)}
    assert (alike["hd95_mm"].n_patients, alike["dice"].n_patients) == (4, 6)
    plan = by_distance("hd95_mm", 50.0, min_test_patients=4, claim=False)
    assert judge(quiet, None, plan, looks_spent=0, subgroups=None, same_test_set=True).promote


def test_scores_of_version_0_1_are_read_by_the_rule_of_today() -> None:
    references = [TUMOR] * 4 + [NOTHING] * 2
    table = scores([NEAR, FAR, NOTHING, NOTHING, NOTHING, TUMOR], references)
    old = as_of_version_0_1(table)
    assert old["hd95_mm"].isna().sum() == 4
    completed = with_misses(old, METRICS)
    for name in METRICS:
        if not name.endswith(("_small", "_medium", "_large")):
            np.testing.assert_array_equal(completed[name], table[name], err_msg=name)
    # Their diagonal is not known: BraTS' 374 mm stand for it, unless the other model's scores have it.
    values, infinite = comparable([old, old], "hd95_mm")
    assert list(values[0].dropna()) == [1.0, 4.0, 374.0, 374.0, 374.0]
    assert infinite[0].sum() == 3
    values, _ = comparable([old, table], "hd95_mm")
    assert values[0].iloc[2] == pytest.approx(DIAGONAL_MM)


def test_the_worst_is_never_better_than_what_was_measured() -> None:
    table = pd.DataFrame(
        {"case_id": ["a", "b"], "target": "tumor", "patient_id": ["a", "b"], "hd95_mm": [500.0, math.inf]}
    ).assign(reference_ml=1.0, predicted_ml=[1.0, 0.0])
    values, _ = comparable([table], "hd95_mm")
    assert list(values[0]) == [500.0, 500.0]


def test_a_seeds_noise_knows_misses() -> None:
    found = measure_seed_noise([finds_all(), misses_four()], ("hd95_mm",), 0.95)
    means = (4.0, (8 * 1.0 + 4 * DIAGONAL_MM) / 12)
    assert found[0].deviation == pytest.approx(np.std(means, ddof=1))


@pytest.mark.parametrize(
    ("metric", "missed", "false_alarm"),
    [("hd95_mm", math.inf, math.inf), ("surface_dice_5mm", 0.0, 0.0), ("relative_volume_error", -1.0, math.inf)],
)
def test_what_a_miss_is_comes_from_the_metric_itself(metric, missed, false_alarm) -> None:
    assert (value_of(metric, "missed"), value_of(metric, "false alarm")) == (missed, false_alarm)


def test_columns_that_tell_nothing_of_masks_leave_scores_as_they_are() -> None:
    table = pd.DataFrame({"hd95_mm": [math.nan, 2.0]})
    assert list(outcomes(table)) == ["both", "both"]
    assert with_misses(table, ["hd95_mm", "no such metric"])["hd95_mm"].isna().tolist() == [True, False]


@pytest.mark.parametrize("metric", ["absolute_volume_error_ml", "n_false_positive_lesions", "specificity", "accuracy"])
def test_who_finds_nothing_gains_nothing_by_what_it_can_not_do_wrong(metric: str) -> None:
    """A tumor drawn far too large, and a false one beside it, is worse by these than no tumor: not where models are compared."""
    champion, challenger = scores([TOO_LARGE] * 3), scores([TOO_LARGE, TOO_LARGE, NOTHING])
    direction = METRICS[metric].direction
    raw = direction * (challenger[metric] - champion[metric])
    assert raw[2] > 0 == raw[0]
    values, _ = comparable((champion, challenger), metric)
    np.testing.assert_array_equal(values[1], champion[metric].to_numpy(float))
