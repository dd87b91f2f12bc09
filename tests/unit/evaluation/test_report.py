"""Pages, pictures and plots: what a reviewer reads in them, read back from their bytes."""

import numpy as np

from lesionflow.evaluation.page import Picture
from lesionflow.evaluation.report import ReportContent, render_report
from lesionflow.evaluation.result_json import froc_table
from lesionflow.evaluation.results import ChampionScores, summarize
from lesionflow.evaluation.scoring import Scores
from support.bundles import small_bundle
from support.pages import read_rows
from support.score_tables import CASES, SAMPLING, three_patients


def _report(scores: Scores, champion: ChampionScores | None = None, **changes) -> str:
    targets = tuple(dict.fromkeys(scores.cases["target"]))
    bundle = small_bundle()
    content = {
        "title": "Evaluation: <unet> on knees",
        "plan": bundle.plan,
        "card": bundle.card,
        "cases": scores.cases,
        "results": summarize(scores, CASES, targets, SAMPLING, champion),
        "plots": {target: [Picture("a plot", b"png")] for target in targets},
        "worst": [("c-0", Picture("Case c-0", b"png"))],
        "training": Picture("Loss and Dice by epoch", b"curves"),
        "champion": champion.name if champion else None,
        "champion_note": "There is no champion to compare with yet.",
        "confidence_level": 0.95,
        "data": (("dataset", "knees"),),
    }
    return render_report(ReportContent(**{**content, **changes}))


def test_the_report_says_what_the_tables_hold() -> None:
    html = _report(three_patients())
    rows = read_rows(html)
    assert ["Dice", "0.700", "0.200 to 1.000", "3", ""] in rows
    assert ["HD95 (mm)", "7.25", "7.25 to 7.25", "2", "over 2 of 3 cases; 1 undefined"] in rows
    cases = [row for row in rows if row[0].startswith("c-")]
    assert [row[:4] for row in cases] == [
        ["c-0", "0.200", "0.500", "7.25"],
        ["c-1", "0.900", "0.500", "7.25"],
        ["c-2", "1.000", "–", "–"],
    ]
    medium = next(row for row in rows if row[0] == "medium, 1 to 10 ml")
    assert medium[:3] == ["medium, 1 to 10 ml", "2", "0.500"]
    assert ["share of lesions found", "1.000", "1.000", "1.000", "1.000", "1.000", "1.000", "1.000", "1.000"] in rows
    assert ["error of the predicted Dice", "0.100", "0.100 to 0.100", "3"] in rows
    assert ["calibration error of voxels (ECE)", "0.100", "0.000 to 0.200", "3"] in rows
    assert [row[:2] for row in rows if row[0].startswith("a volume interval stated for 90% of cases")] == [
        ["a volume interval stated for 90% of cases holds for", "0.667"]
    ]
    assert "2 of 3 cases were called unlike the training data." in html
    assert [row[:4] for row in rows if row[0] == "sex"] == [["sex", "F", "1", "1"], ["sex", "M", "2", "2"]]
    assert "There is no champion to compare with yet." in html
    assert "<a href='#case-c-0'>c-0</a>" in html
    assert "id='case-c-0'" in html
    assert "<a href='#case-c-1'>" not in html


def test_a_model_that_misses_says_so_beside_its_mean_distance() -> None:
    scores = three_patients()
    missed = scores.cases.assign(
        hd95_mm=[7.25, np.inf, np.inf], reference_ml=[4.0, 4.0, 0.0], predicted_ml=[4.0, 0.0, 2.0]
    )
    html = _report(scores._replace(cases=missed))
    rows = read_rows(html)
    assert ["HD95 (mm)", "7.25", "7.25 to 7.25", "1", "over 1 of 3 cases; 1 missed, 1 false alarm"] in rows
    assert "In 1 of 2 cases with a tumor nothing was found; in 1 of 1 without one something was." in html
    assert "<b>over 1 of 3 cases; 1 missed, 1 false alarm</b>" in html
    assert next(row for row in rows if row[0] == "c-1")[3] == "∞"
    assert "data-v='Infinity'" in html
    subgroup = next(row for row in rows if row[:2] == ["sex", "M"])
    assert subgroup[5] == "–, over 0 of 2 cases; 1 missed, 1 false alarm"


def test_what_others_wrote_never_becomes_markup() -> None:
    html = _report(three_patients())
    assert "<b>A&B</b>" not in html
    assert "&lt;b&gt;A&amp;B&lt;/b&gt;" in html
    assert "<title>Evaluation: &lt;unet&gt; on knees</title>" in html


def test_two_targets_have_a_part_each() -> None:
    scores = three_patients(("whole", "core"))
    html = _report(scores)
    assert "<h2 id='target-whole'>Whole</h2>" in html
    assert "<h2 id='target-core'>Core</h2>" in html
    assert [row[1] for row in read_rows(html) if row[0] == "c-0"] == ["whole", "core"]


def test_the_champion_is_compared_metric_by_metric() -> None:
    html = _report(three_patients(), ChampionScores("knees version 3", three_patients(shift=-0.1).cases))
    rows = read_rows(html)
    dice = next(row for row in rows if row[0] == "Dice" and len(row) == 6)
    assert dice == ["Dice", "0.600", "0.700", "not told apart: +0.1, which 3 patients can't bound, p = 0.250", "3", "0"]
    assert "Against the champion, knees version 3" in html


def test_the_headline_says_what_it_is_without_those_who_have_no_tumor() -> None:
    html = _report(three_patients())
    assert "<b>0.700</b>" in html
    assert "in 2 patients with a tumor</b>" in html


def test_a_report_without_curves_lesions_or_groups_says_so() -> None:
    scores = three_patients()
    empty = Scores(scores.cases, scores.lesions[:0], scores.detections.assign(n_lesions=0, n_found=0), scores.bins[:0])
    html = _report(empty, training=None, results=summarize(empty, CASES[["case_id"]], ("tumor",), SAMPLING))
    assert "its curves are not here" in html
    assert "there is no FROC curve" in html
    assert "For whom" in html  # tumors of two sizes are groups
    same = Scores(scores.cases.assign(reference_ml=5.0), *empty[1:])
    html = _report(same, results=summarize(same, CASES[["case_id"]], ("tumor",), SAMPLING))
    assert "For whom" not in html
    assert len(froc_table(None)) == 0
