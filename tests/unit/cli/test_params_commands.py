"""`lesionflow params`: what a user reads of a key; and the page that is made of all."""

import subprocess
import sys
import time
from pathlib import Path

from lesionflow.cli import main
from lesionflow.cli.params_commands import reference_page
from lesionflow.steps import STEPS

ROOT = Path(__file__).resolve().parents[3]


def _explained(capsys, *arguments):
    assert main(["params", "explain", *arguments]) == 0
    return capsys.readouterr().out


def test_a_key_is_explained_with_range_step_presets_and_consequence(capsys):
    assert _explained(capsys, "overlap_fraction").splitlines() == [
        "plan.inference.overlap_fraction",
        "  By which share of its length a 3D patch overlaps the next along each axis: more takes longer and has fewer seams.",
        "  may be      a number of at least 0 and below 1",
        f"  read by     plan: {STEPS['plan'].summary}",
        "  in presets  0.5   brats_3d, brats_table",
        "              0.25  liver_2d, lung_2d, nuclei_2d, phantom_ct, sts_petct, sts_petct_2d",
        "  if changed  The plan is decided again; where it changes, training starts anew. Arrays stay.",
    ]


def test_a_value_of_all_presets_is_shown_once(capsys):
    assert "  in presets  0.25  all\n" in _explained(capsys, "split.test_fraction")


def test_a_key_of_entries_is_explained_with_them_and_alone(capsys):
    said = _explained(capsys, "ingest.outlines")
    assert "pattern: a text. A regular expression matched" in said
    assert '[{pattern: "(?i)gtv_?mass.*", label: tumor}]' in said
    assert "`lesionflow params explain ingest.outlines` shows it" in _explained(capsys, "ingest.outlines.pattern")


def test_without_a_key_all_are_listed_by_section(capsys):
    lines = _explained(capsys).splitlines()
    assert [line.partition(":")[0] for line in lines if not line.startswith(" ")] == list(STEPS)
    assert len([line for line in lines if line.startswith("  train.augmentation.")]) == 19


def test_a_section_lists_its_own_keys(capsys):
    lines = _explained(capsys, "plan.inference").splitlines()
    names = ["overlap_fraction", "flip_axes", "probability_threshold", "min_lesion_ml", "fill_holes"]
    assert [line.split()[0] for line in lines] == ["plan:", *(f"plan.inference.{name}" for name in names)]


def test_a_wrong_name_exits_2_with_the_nearest(capsys):
    assert main(["params", "explain", "train.max_minuts"]) == 2
    assert "Did you mean train.max_minutes?" in capsys.readouterr().err


def test_docs_params_is_current(capsys):
    assert main(["params", "reference"]) == 0
    page = capsys.readouterr().out
    assert page == reference_page()
    assert (ROOT / "docs" / "params.md").read_text(encoding="utf-8") == page, (
        "Run `make presets`: docs/params.md is old."
    )


def test_each_row_of_the_page_has_as_many_cells_as_its_head():
    rows = [line for line in reference_page().splitlines() if line.startswith("|")]
    assert len(rows) > 120
    assert {line.replace("\\|", "").count("|") for line in rows} == {5}


def test_reading_docstrings_and_presets_slows_no_other_command_down():
    code = "import sys, lesionflow.cli; print('lesionflow.config.reference' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_name_longer_than_any_key_is_refused_at_once_and_said_in_short(capsys):
    began = time.process_time()
    assert main(["params", "explain", "train." + "max_minutes" * 10_000]) == 2
    assert time.process_time() - began < 30
    assert len(capsys.readouterr().err) < 400
