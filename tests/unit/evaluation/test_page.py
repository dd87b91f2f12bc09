import re

import numpy as np
import pytest

from lesionflow.evaluation import page
from lesionflow.evaluation.page import Cell
from lesionflow.evaluation.statistics import Estimate
from support.pages import read_rows


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
    assert read_rows(page.table(("nothing",), [])) == [["nothing"]]


def test_a_tile_counts_one_patient_as_one() -> None:
    html = page.tile("hd95_mm", Estimate(3.0, 2.0, 4.0, 1, 1))
    assert ">3.00 mm<" in html
    assert "1 patient, 1 case undefined" in html
    assert "–" in page.tile("dice", Estimate(np.nan, np.nan, np.nan, 0, 2))


def test_the_page_holds_its_own_style_and_script() -> None:
    html = page.page("t", ["<p>x</p>", ""])
    assert re.search(r"@media print", html)
    assert "prefers" not in html
    assert "aria-sort" in html
    assert "http" not in html
