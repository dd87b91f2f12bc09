import math

import pandas as pd
import pytest

from lesionflow.evaluation.gate.paired_scores import ScoredPair, gains_by_case, gains_by_patient, targets_of
from support.paired_scores import scores_of


def test_a_patient_counts_once_and_each_target_alike() -> None:
    ours, theirs = scores_of([0.9, 0.7, 0.5]), scores_of([0.8, 0.8, 0.5])
    ours, theirs = (t.assign(patient_id=["p0", "p0", "p1"]) for t in (ours, theirs))
    assert gains_by_patient(ScoredPair(ours, theirs), "dice", "tumor") == pytest.approx([0.0, 0.0])
    liver = [scores_of(dice, "liver").assign(patient_id=["p0", "p0", "p1"]) for dice in ([0.9] * 3, [0.8] * 3)]
    both = ScoredPair(pd.concat([ours, liver[0]]), pd.concat([theirs, liver[1]]))
    assert gains_by_patient(both, "dice", "all") == pytest.approx([0.05, 0.05])
    assert gains_by_patient(both, "dice", "liver") == pytest.approx([0.1, 0.1])
    assert targets_of(both.challenger, "all") == ["tumor", "liver"]


def test_rows_of_another_order_pair_by_case_and_lower_distances_are_gains() -> None:
    ours = scores_of([0.5] * 3, hd95_mm=[1.0, 2.0, 3.0])
    theirs = scores_of([0.5] * 3, hd95_mm=[2.0, 2.0, 5.0]).iloc[::-1]
    found = gains_by_case(ScoredPair(ours, theirs), "hd95_mm", "tumor").set_index("case_id")["gain"]
    assert found.to_dict() == {"c0": 1.0, "c1": 0.0, "c2": 2.0}


def test_a_missed_tumor_is_the_worst_and_what_nobody_has_is_left_out() -> None:
    volumes = {"reference_ml": [5.0, 5.0, 0.0], "predicted_ml": [0.0, 5.0, 0.0], "image_diagonal_mm": 300.0}
    ours = scores_of([0.0, 0.5, 1.0], hd95_mm=[math.inf, 4.0, math.nan], **volumes)
    theirs = scores_of([0.5, 0.5, 1.0], hd95_mm=[10.0, 4.0, math.nan], **volumes | {"predicted_ml": [5.0, 5.0, 0.0]})
    found = gains_by_case(ScoredPair(ours, theirs), "hd95_mm", "all")["gain"]
    assert list(found) == [-290.0, 0.0]
