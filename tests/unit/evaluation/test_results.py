"""An evaluation put together from scores small enough to be counted by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from lesionflow.errors import ArtifactError
from lesionflow.evaluation.results import ChampionScores, summarize
from support.score_tables import CASES, SAMPLING, three_patients


def test_means_are_of_patients_for_whom_a_figure_is_defined() -> None:
    found = summarize(three_patients(), CASES, ("tumor",), SAMPLING)["tumor"]
    dice, hd95 = found.estimates["dice"], found.estimates["hd95_mm"]
    assert (dice.mean, dice.n, dice.n_undefined) == (pytest.approx((0.2 + 0.9 + 1.0) / 3), 3, 0)
    assert (hd95.mean, hd95.n, hd95.n_undefined) == (7.25, 2, 1)


def test_a_mean_of_the_cases_with_a_tumor_stands_beside_that_of_all() -> None:
    found = summarize(three_patients(), CASES, ("tumor",), SAMPLING)["tumor"]
    alone = found.tumors_alone("dice")
    assert (alone.mean, alone.n) == (pytest.approx((0.2 + 0.9) / 2), 2)
    assert found.tumors_alone("hd95_mm") is None, "who has no tumor has no distance"
    scores = three_patients()
    full = type(scores)(scores.cases.assign(reference_ml=4.0, predicted_ml=4.0), *scores[1:])
    assert summarize(full, CASES, ("tumor",), SAMPLING)["tumor"].tumors_alone("dice") is None


def test_lesions_are_counted_in_the_class_of_their_own_size() -> None:
    found = {size.name: size for size in summarize(three_patients(), CASES, ("tumor",), SAMPLING)["tumor"].sizes}
    medium, large = found["medium"], found["large"]
    # Two reference lesions of 4 ml, one of them matched; two predicted of 40 ml, both.
    assert (medium.n_reference, medium.n_predicted, large.n_reference, large.n_predicted) == (2, 0, 0, 2)
    assert medium.recall.mean == pytest.approx(0.5)
    assert medium.dice.mean == pytest.approx((0.2 + 0.9) / 2)
    assert large.precision.mean == pytest.approx(1.0)
    assert math.isnan(medium.precision.mean)
    assert math.isnan(large.recall.mean)


def test_each_target_has_its_own_rows() -> None:
    one = three_patients(("whole",))
    other = three_patients(("core",), dice=(0.5, 0.5, 0.5))
    both = type(one)(*(pd.concat(pair, ignore_index=True) for pair in zip(one, other, strict=True)))
    found = summarize(both, CASES, ("whole", "core"), SAMPLING)
    assert list(found) == ["whole", "core"]
    assert found["whole"].estimates["dice"].mean == pytest.approx(0.7)
    assert found["core"].estimates["dice"].mean == pytest.approx(0.5)


def test_a_champion_is_compared_target_by_target_and_only_on_the_same_cases() -> None:
    ours, theirs = three_patients(dice=(0.3, 0.8, 0.9)), three_patients(dice=(0.2, 0.7, 0.8))
    found = summarize(ours, CASES, ("tumor",), SAMPLING, ChampionScores("knees 3", theirs.cases))["tumor"]
    (dice,) = [d for d in found.differences if d.metric == "dice"]
    assert (dice.target, dice.n_patients) == ("tumor", 3)
    assert (dice.first, dice.second) == (pytest.approx(1.7 / 3), pytest.approx(2.0 / 3))
    assert summarize(ours, CASES, ("tumor",), SAMPLING)["tumor"].differences == ()
    with pytest.raises(ArtifactError):
        summarize(ours, CASES, ("tumor",), SAMPLING, ChampionScores("knees 3", theirs.cases[:2]))


def test_without_a_lesion_there_is_no_curve() -> None:
    scores = three_patients(dice=(np.nan, np.nan, np.nan))
    none = type(scores)(scores.cases, scores.lesions[:0], scores.detections.assign(n_lesions=0, n_found=0), scores.bins)
    assert summarize(none, CASES, ("tumor",), SAMPLING)["tumor"].froc is None
