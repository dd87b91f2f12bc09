"""Pages, pictures and plots: what a reviewer reads in them, read back from their bytes."""

import io
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lesionflow.data.case import Case
from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.evaluation import page, plots
from lesionflow.evaluation.figures import overlay_planes, overlay_slice, to_array
from lesionflow.evaluation.froc import Froc, FrocPoint
from lesionflow.evaluation.page import Cell, Picture
from lesionflow.evaluation.report import ReportContent, render_report
from lesionflow.evaluation.results import ChampionScores, Sampling, summarize
from lesionflow.evaluation.scoring import BIN_COLUMNS, DETECTION_COLUMNS, LESION_COLUMNS, Scores
from lesionflow.evaluation.statistics import Estimate
from lesionflow.evaluation.summary import froc_table, headline_json, metrics_json, nnunet_summary
from lesionflow.metrics import COUNTS, METRICS
from lesionflow.metrics.detection import THRESHOLDS
from support.bundles import small_bundle

GEOMETRY = Geometry.from_parts((7, 60, 90), (3.0, 0.8, 0.5), (10.0, -20.0, 5.0))
SAMPLING = Sampling(200, 0.95, 1)


class _Rows(HTMLParser):
    """Cells of all tables, row by row; unclosed and unknown tags fail."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.open = [], []

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag not in {"img", "meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in {"td", "th", "button", "a"} and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def _read(html: str) -> list[list[str]]:
    parser = _Rows()
    parser.feed(html)
    assert parser.open == []
    return parser.rows


def _scores(targets=("tumor",), dice=(0.2, 0.9, 1.0), shift=0.0) -> Scores:
    """Three patients; the last has no tumor and none was found, so that lesion figures are undefined there."""
    cases, lesions, detections, bins = [], [], [], []
    for target in targets:
        for number, value in enumerate(dice):
            about = {"case_id": f"c-{number}", "patient_id": f"p-{number}", "target": target}
            empty = number == 2
            figures = {
                name: np.nan if empty and "undefined" in metric.empty else 0.5 for name, metric in METRICS.items()
            }
            figures |= dict.fromkeys(COUNTS, 0.0 if empty else 4.0)
            cases.append({**about, **figures, "dice": min(value + shift, 1.0), "hd95_mm": np.nan if empty else 7.25,
                          "seconds": 1.5, "predicted_dice": value - 0.1, "stated_coverage": 0.9, "interval_low_ml": 3.0,
                          "interval_high_ml": 5.0, "oddity": 0.5 + number})  # fmt: skip
            bins.append({**about, "bin": 12, "n": 100, "sum_probability": 80.0, "n_true": 60 + 10 * number})
            if not empty:
                lesions.append({**about, "kind": "reference", "volume_ml": 4.0, "matched": number == 1, "dice": value})
                lesions.append({**about, "kind": "predicted", "volume_ml": 40.0, "matched": True, "dice": value})
            for threshold in THRESHOLDS:
                found = int(not empty and threshold < 0.6)
                detections.append({**about, "threshold": threshold, "n_lesions": int(not empty), "n_found": found,
                                   "n_false_alarms": int(threshold < 0.3)})  # fmt: skip
    return Scores(
        pd.DataFrame(cases),
        pd.DataFrame(lesions, columns=LESION_COLUMNS),
        pd.DataFrame(detections, columns=DETECTION_COLUMNS),
        pd.DataFrame(bins, columns=BIN_COLUMNS),
    )


CASES = pd.DataFrame(
    {"case_id": ["c-0", "c-1", "c-2"], "sex": ["F", "M", "M"], "manufacturer": ["<b>A&B</b>", "C", "C"]}
)


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
    html = _report(_scores())
    rows = _read(html)
    assert ["Dice", "0.700", "0.200 to 1.000", "3", "0"] in rows
    assert ["HD95 (mm)", "7.25", "7.25 to 7.25", "2", "1"] in rows
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


def test_what_others_wrote_never_becomes_markup() -> None:
    html = _report(_scores())
    assert "<b>A&B</b>" not in html
    assert "&lt;b&gt;A&amp;B&lt;/b&gt;" in html
    assert "<title>Evaluation: &lt;unet&gt; on knees</title>" in html


def test_two_targets_have_a_part_each() -> None:
    scores = _scores(("whole", "core"))
    html = _report(scores)
    assert "<h2 id='target-whole'>Whole</h2>" in html
    assert "<h2 id='target-core'>Core</h2>" in html
    assert [row[1] for row in _read(html) if row[0] == "c-0"] == ["whole", "core"]


def test_the_champion_is_compared_metric_by_metric() -> None:
    html = _report(_scores(), ChampionScores("knees version 3", _scores(shift=-0.1).cases))
    rows = _read(html)
    dice = next(row for row in rows if row[0] == "Dice" and len(row) == 6)
    assert dice == ["Dice", "0.600", "0.700", "not told apart: +0.1 [0.1, 0.1], p = 1.000", "3", "0"]
    assert "Against the champion, knees version 3" in html


def test_a_report_without_curves_lesions_or_groups_says_so() -> None:
    scores = _scores()
    empty = Scores(scores.cases, scores.lesions[:0], scores.detections.assign(n_lesions=0, n_found=0), scores.bins[:0])
    html = _report(empty, training=None, results=summarize(empty, CASES[["case_id"]], ("tumor",), SAMPLING))
    assert "its curves are not here" in html
    assert "there is no FROC curve" in html
    assert "For whom" in html  # tumors of two sizes are groups
    same = Scores(scores.cases.assign(reference_ml=5.0), *empty[1:])
    html = _report(same, results=summarize(same, CASES[["case_id"]], ("tumor",), SAMPLING))
    assert "For whom" not in html
    assert len(froc_table(None)) == 0


def test_json_holds_null_where_a_figure_is_undefined() -> None:
    results = summarize(_scores(dice=(np.nan, np.nan, np.nan)), CASES, ("tumor",), SAMPLING)
    found = metrics_json(results)
    assert found["dice"] == {"mean": None, "low": None, "high": None, "n": 0, "n_undefined": 3}
    assert found["targets"]["tumor"]["dice"] == found["dice"]
    assert headline_json(results)["tumor"]["dice"] is None
    assert headline_json(results)["tumor"]["hd95_mm"] == 7.25


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


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.5, "", "0.500"), (float("nan"), "mm", "–"), (7.254, "mm", "7.25"), (72.54, "mm", "72.5"), (725.4, "mm", "725"),
        (-3.14, "ml", "−3.14"), (4.0, "count", "4"), (12345.0, "ml", "12,345"), (-1.0, "", "−1.000"),
    ],
)  # fmt: skip
def test_figures_are_written_as_people_read_them(value: float, unit: str, shown: str) -> None:
    assert page.number(value, unit) == shown


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("dice", "Dice"), ("hd95_mm", "HD95 (mm)"), ("surface_dice_2mm", "Surface Dice at 2 mm"), ("iou", "IoU"),
        ("n_false_positive_lesions", "False positive lesions"), ("absolute_volume_error_ml", "Absolute volume error (ml)"),
        ("brats_lesion_hd95_mm", "BraTS lesion HD95 (mm)"), ("seconds", "Seconds"),
    ],
)  # fmt: skip
def test_names_are_spelled_as_people_do(name: str, title: str) -> None:
    assert page.title_of(name) == title


def test_a_sortable_table_keeps_the_figure_behind_the_text() -> None:
    html = page.table(
        ("case", "Dice"), [("a", page.figure_cell(0.123456)), ("b", page.figure_cell(float("nan")))], sortable=True
    )
    assert "data-v='0.123456'>0.123<" in html
    assert "data-v=''>–<" in html
    assert html.count("<button") == 2
    assert "<table class='sortable'>" in html
    assert "<button" not in page.table(("case",), [(Cell("1"),)])
    assert _read(page.table(("nothing",), [])) == [["nothing"]]


def test_a_tile_counts_one_patient_as_one() -> None:
    html = page.tile("hd95_mm", Estimate(3.0, 2.0, 4.0, 1, 1))
    assert ">3.00 mm<" in html
    assert "1 patient, 1 case undefined" in html
    assert "–" in page.tile("dice", Estimate(np.nan, np.nan, np.nan, 0, 2))


def _box(low, high) -> Mask:
    labels = np.zeros(GEOMETRY.shape, np.uint8)
    labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1
    return Mask(labels, GEOMETRY)


def _colored(png: bytes, color: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns of pixels near a color."""
    image = to_array(png).astype(int)
    return np.argwhere(np.abs(image - color).max(axis=2) < 40)


BLUE, ORANGE = (0x56, 0xB4, 0xE9), (0xE6, 0x9F, 0x00)


def _case(reference: Mask | None, n_channels: int = 1) -> Case:
    image = np.random.default_rng(0).normal(0, 30, (n_channels, *GEOMETRY.shape)).astype(np.float32)
    return Case("c-1", "p-1", ("CT", "MR")[:n_channels], Volume(image, GEOMETRY), reference)


def test_contours_of_both_masks_lie_where_the_masks_are() -> None:
    # The reference lies left, the prediction right, in the image's own columns; a mask at the image's very border too.
    png = overlay_planes(_case(_box((2, 20, 5), (4, 30, 20))), _box((2, 20, 70), (4, 30, 90)), ("ct",), "c-1: Dice 0")
    width = to_array(png).shape[1]
    axial = slice(0, width // 3)
    left, right = _colored(png, BLUE), _colored(png, ORANGE)
    left, right = left[left[:, 1] < axial.stop], right[right[:, 1] < axial.stop]
    assert len(left) > 20
    assert len(right) > 20
    assert left[:, 1].mean() < 0.4 * axial.stop < 0.6 * axial.stop < right[:, 1].mean()


def test_small_masks_are_drawn_closer_too_and_large_ones_are_not() -> None:
    wide = Geometry.from_parts((7, 200, 300), (3.0, 0.8, 0.8), (0.0, 0.0, 0.0))
    volume = Volume(np.zeros((1, *wide.shape), np.float32), wide)
    labels = np.zeros(wide.shape, np.uint8)
    labels[3, 20:24, 30:34] = 1
    small = Mask(labels, wide)
    large = Mask(np.ones(wide.shape, np.uint8), wide)
    heights = [
        to_array(overlay_planes(Case("c-1", "p", ("CT",), volume, mask), mask, ("ct",), "c-1")).shape[0]
        for mask in (small, large)
    ]
    assert heights[0] > 1.5 * heights[1]


def test_a_case_without_reference_or_tumor_still_has_a_picture() -> None:
    nothing = _box((0, 0, 0), (0, 0, 0))
    for reference, predicted in ((None, _box((1, 2, 3), (3, 20, 30))), (None, nothing), (nothing, nothing)):
        png = overlay_planes(_case(reference, 2), predicted, ("ct", "mr"), "c-1", labels=(1,))
        assert Image.open(io.BytesIO(png)).format == "PNG"
        assert len(_colored(png, BLUE)) < 80  # the legend's line at most


def test_the_slice_shown_is_the_one_where_the_masks_differ() -> None:
    # Large agreement in slice 2, the only difference in slice 5: it is slice 5 whose image is shown.
    labels = np.zeros(GEOMETRY.shape, np.uint8)
    labels[2, 5:50, 5:80] = 1
    differs = labels.copy()
    differs[5, 10:14, 10:16] = 1
    image = np.full((1, *GEOMETRY.shape), -160.0, np.float32)
    image[0, 5] = 240.0
    case = Case("c-1", "p-1", ("CT",), Volume(image, GEOMETRY), Mask(labels, GEOMETRY))
    png = to_array(overlay_planes(case, Mask(differs, GEOMETRY), ("ct",), "c-1"))
    first = png[: png.shape[0] // 2, : png.shape[1] // 3]
    assert (first.min(axis=2) > 240).mean() > 0.8


def test_one_slice_of_a_prediction_alone() -> None:
    png = overlay_slice(_case(None, 2).volume, _box((4, 10, 20), (5, 30, 60)), ("ct", "mr"), "knee")
    assert len(_colored(png, ORANGE)) > 50


def test_plots_are_drawn_of_few_cases_and_of_none_with_a_tumor() -> None:
    table = _scores().cases
    for rows in (table, table[:1], table[2:]):
        for draw in (plots.dice_by_size, plots.bland_altman, lambda t: plots.confusion_matrix(t, "tumor")):
            image = to_array(draw(rows))
            assert image.std() > 5
    curve = Froc((FrocPoint(0.9, 0.0, 0.2, 0.0, 0.5), FrocPoint(0.1, 3.0, 0.8, 0.5, 1.0)), (0.2,) * 7, 5, 3)
    assert len(_colored(plots.froc_plot(curve, 0.95), (0x00, 0x72, 0xB2))) > 100


def test_the_slope_plot_tells_better_from_worse_by_color_and_line() -> None:
    table = _scores().cases
    better = plots.slope_plot(table, table.assign(dice=table["dice"] - 0.15), "champion")
    worse = plots.slope_plot(table, table.assign(dice=[0.5, 1.0, 1.0]), "champion")
    blue, vermilion = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
    assert len(_colored(better, blue)) > 200 > len(_colored(better, vermilion))
    assert len(_colored(worse, vermilion)) > 200 > len(_colored(worse, blue))


def test_the_page_holds_its_own_style_and_script() -> None:
    html = page.page("t", ["<p>x</p>", ""])
    assert re.search(r"@media print", html)
    assert "prefers" not in html
    assert "aria-sort" in html
    assert "http" not in html
