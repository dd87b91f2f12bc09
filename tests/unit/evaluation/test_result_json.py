import numpy as np
import pandas as pd
import pytest

from lesionflow.data.dataset import Target
from lesionflow.evaluation.result_json import headline_json, headline_markdown, metrics_json, nnunet_summary
from lesionflow.evaluation.results import summarize
from support.score_tables import CASES, SAMPLING, three_patients


def test_json_holds_null_where_a_figure_is_undefined() -> None:
    results = summarize(three_patients(dice=(np.nan, np.nan, np.nan)), CASES, ("tumor",), SAMPLING)
    found = metrics_json(results)
    counts = {"n": 0, "n_undefined": 3, "n_cases": 3, "n_missed": 0, "n_false_alarms": 0}
    assert found["dice"] == {"mean": None, "low": None, "high": None, **counts}
    assert found["targets"]["tumor"]["dice"] == found["dice"]
    assert headline_json(results)["tumor"]["dice"] is None
    assert headline_json(results)["tumor"]["hd95_mm"] == 7.25


def test_the_headline_holds_dice_with_and_without_tumor_free_patients() -> None:
    results = summarize(three_patients(), CASES, ("tumor",), SAMPLING)
    headline = headline_json(results)["tumor"]
    assert (headline["dice"], headline["dice_with_tumor"]) == (pytest.approx(0.7), pytest.approx(0.55))
    assert metrics_json(results)["targets"]["tumor"]["with_tumor"]["dice"]["n"] == 2
    assert "| 0.550 of 2 |" in headline_markdown(results, "no champion", 0.95)


def test_nnunets_summary_follows_nnunets_rule_for_empty_masks() -> None:
    # By hand, as nnU-Net's evaluator would write it: 6 of 6 + 2 + 4 voxels; a case that is empty in both has no Dice.
    counts = {"tp": [6, 0, 0], "fp": [2, 0, 5], "fn": [4, 0, 0], "tn": [88, 100, 95]}
    table = pd.DataFrame({**counts, "dice": [12 / 18, 1.0, 0.0], "iou": [0.5, 1.0, 0.0]}).assign(
        case_id=["c-0", "c-1", "c-2"], target="core"
    )
    whole = table.assign(target="whole", dice=[1.0, 1.0, 1.0], iou=1.0, fp=0, fn=0)
    targets = (Target(name="whole", labels=(1, 2)), Target(name="core", labels=(2,)))
    found = nnunet_summary(pd.concat([whole, table]), targets)
    assert [case["case_id"] for case in found["metric_per_case"]] == ["c-0", "c-1", "c-2"]
    core = [case["metrics"]["2"] for case in found["metric_per_case"]]
    assert core[0] == {"Dice": 12 / 18, "IoU": 0.5, "TP": 6, "FP": 2, "FN": 4, "TN": 88, "n_pred": 8, "n_ref": 10}
    assert (core[1]["Dice"], core[1]["n_pred"], core[2]["Dice"]) == (None, 0, 0.0)
    assert found["mean"]["2"]["Dice"] == pytest.approx((12 / 18 + 0.0) / 2)
    assert found["mean"]["2"]["TP"] == 2.0
    assert found["mean"]["(1, 2)"]["Dice"] == 1.0
    assert found["foreground_mean"]["Dice"] == pytest.approx((1.0 + 1 / 3) / 2)
    nowhere = nnunet_summary(table[1:2], targets[1:])
    assert nowhere["foreground_mean"]["Dice"] is nowhere["mean"]["2"]["Dice"] is None
