"""What a reviewer sees of an evaluation, and what its folder holds: figures of three patients, by hand."""

import json

import pandas as pd
import pytest

from lesionflow.evaluation.page import Picture
from lesionflow.evaluation.results import ChampionScores, summarize
from lesionflow.steps.evaluate.outcome import Outcome, figures_first, write_outcome
from support.bundles import small_bundle
from support.score_tables import CASES, SAMPLING, three_patients

SCORES = three_patients()


def outcome(champion=None, **changes) -> Outcome:
    given = {
        "bundle": small_bundle(), "scores": SCORES, "results": summarize(SCORES, CASES, ("tumor",), SAMPLING, champion),
        "about": {"run_id": "r", "test_set_sha256": "t", "bundle_digest": "b"}, "pictures": {"c-0": b"a picture"}, "champion": champion,
        "champion_note": "There is no champion to compare with yet.", "curves": None, "confidence_level": 0.95, "n_worst_cases": 1, "data": (),
        "cohort": {"trained": {"n_cases": 3}},
    }  # fmt: skip
    return Outcome(**{**given, **changes})


def test_without_a_champion_the_note_stands_and_with_one_the_difference():
    assert outcome().against_champion() == "There is no champion to compare with yet."
    champion = ChampionScores("knees version 3", three_patients(shift=-0.1).cases)
    said = outcome(champion).against_champion()
    assert "+0.1" in said
    assert said.endswith("(Dice, knees version 3)")


@pytest.mark.parametrize("with_champion", [False, True])
def test_a_plot_is_drawn_for_what_there_is(with_champion):
    champion = ChampionScores("knees version 3", three_patients(shift=-0.1).cases) if with_champion else None
    drawn = outcome(champion).plots()["tumor"]
    assert set(drawn) == {
        "confusion",
        "dice_by_size",
        "volumes",
        "froc",
        "reliability",
        *(["slope"] if champion else []),
    }
    assert all(picture.png.startswith(b"\x89PNG") for picture in drawn.values())


def test_the_folder_holds_the_tables_the_figures_and_the_pictures(tmp_path):
    write_outcome(tmp_path, outcome(), {"tumor": {"froc": Picture("FROC", b"a plot")}})
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "cases.parquet"), SCORES.cases)
    assert len(pd.read_parquet(tmp_path / "lesions.parquet")) == 4
    about = json.loads((tmp_path / "evaluation.json").read_text())
    assert about == {
        "run_id": "r",
        "test_set_sha256": "t",
        "bundle_digest": "b",
        "against_champion": outcome().champion_note,
    }
    assert json.loads((tmp_path / "metrics.json").read_text())["dice"]["mean"] == pytest.approx(0.7)
    assert json.loads((tmp_path / "headline.json").read_text())["tumor"]["hd95_mm"] == 7.25
    assert (tmp_path / "overlays" / "c-0.png").read_bytes() == b"a picture"
    assert (tmp_path / "plots" / "froc_tumor.png").read_bytes() == b"a plot"
    assert set(pd.read_csv(tmp_path / "froc.csv")["target"]) == {"tumor"}
    assert "There is no champion" in (tmp_path / "report.html").read_text()


def test_what_reviewers_compare_stands_first_and_nothing_is_lost():
    columns = list(figures_first(SCORES.cases))
    assert sorted(columns) == sorted(SCORES.cases)
    assert columns.index("dice") < columns.index("seconds")
    assert columns[0] == "case_id"
