import base64
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lesionflow.errors import ArtifactError
from lesionflow.validation.checks import CHECKS, Limits, make_rules, with_derived_columns
from lesionflow.validation.expectations import judge_table, show_figure, write_verdict
from lesionflow.validation.report import reach_verdict, summary_html
from support.case_tables import CT_PET, case_table

TESTS = Path(__file__).parents[2]
LIMITS = Limits(5, (0.2, 10.0), (3, 32, 32), (-2048.0, 32767.0), 200.0, (0.0, 3000.0), 0.5, 0.1, 0.02, 30.0, 0.95, 0.5)
WARN = dict.fromkeys(CHECKS, "warn")
#: One fault of one case each: the check, the column, the value that alone breaks it.
FAULTS = [
    ("spacing", "spacing_slice_mm", 10.5),
    ("spacing", "spacing_row_mm", 0.1),
    ("spacing", "spacing_column_mm", np.nan),
    ("shape", "n_slices", 2),
    ("shape", "n_rows", 31),
    ("shape", "n_columns", 31),
    ("intensity_range", "min__CT", -3000.0),
    ("intensity_range", "max__CT", 40000.0),
    ("intensity_range", "max__PET", 201.0),
    ("intensity_range", "max__PET", -1000.0),
    ("intensity_range", "max__CT", np.inf),
    ("intensity_range", "min__PET", np.nan),
    ("non_finite", "n_nan__CT", 1),
    ("non_finite", "n_nan__PET", 1),
    ("labels", "has_mask", 0),
    ("labels", "labels_present", "1,2"),
    ("tumor_volume", "tumor_ml", 3001.0),
    ("tumor_volume", "tumor_ml", np.nan),
    ("inside_body", "inside_body_fraction", 0.49),
    ("inside_body", "inside_body_fraction", np.nan),
    ("duplicate_image", "image_sha256", f"{2:064x}"),
    ("slice_gaps", "n_flat_slices", 1),
    ("slice_gaps", "n_repeated_slices", 2),
    ("alignment", "mirrored_inside_fraction", 1.11),
    ("alignment", "outline_contrast__CT", 0.01),
    ("orientation", "obliqueness_degrees", 31.0),
    ("patient_in_two_cases", "patient_id", "p-000001"),
]


def _judge(table, folder):
    # Only the CT shows the outlines: one channel that does is enough.
    table = table.assign(outline_contrast__PET=np.nan)
    return judge_table(with_derived_columns(table, CT_PET), make_rules(LIMITS, CT_PET), folder, WARN)


def test_a_good_table_has_no_violation_and_readable_docs(tmp_path):
    assert _judge(case_table(), tmp_path / "docs") == ()
    assert "Expectation" in (tmp_path / "docs" / "index.html").read_text()


def test_each_fault_alone_is_found_and_only_its_check(tmp_path):
    table = case_table(len(FAULTS) + 5)
    for column in {column for _, column, _ in FAULTS}:
        table[column] = table[column].astype(float if pd.api.types.is_numeric_dtype(table[column]) else object)
    for row, (_, column, value) in enumerate(FAULTS, start=5):
        table.loc[row, column] = value
    found = {(v.rule.check, case_id) for v in _judge(table, tmp_path / "docs") for case_id in v.case_ids}
    twins = {("duplicate_image", "c-000001"), ("patient_in_two_cases", "c-000001")}
    shifted = [
        row for row, (_, column, value) in enumerate(FAULTS, 5) if (column, value) == ("inside_body_fraction", 0.49)
    ]
    twins |= {("alignment", f"c-{row:06d}") for row in shifted}  # mirrored, that outline would lie inside
    assert found == twins | {(check, f"c-{row:06d}") for row, (check, _, _) in enumerate(FAULTS, start=5)}


def test_too_few_cases(tmp_path):
    (violation,) = _judge(case_table(4), tmp_path / "docs")
    assert violation.rule.check == "min_cases"
    assert violation.case_ids == ()
    assert violation.found == ("4",)


def test_an_empty_table_has_too_few_cases(tmp_path):
    assert [v.rule.check for v in _judge(case_table(3).iloc[:0], tmp_path / "docs")] == ["min_cases"]


def test_every_check_is_tried():
    elsewhere = {"min_cases", "near_duplicate_image", "scanner_mix", "unlike_champion", "drift"}
    assert {check for check, _, _ in FAULTS} | elsewhere == set(CHECKS)


def test_cases_unlike_the_champions_are_found_singly_and_together(tmp_path):
    table = case_table(40).assign(outline_contrast__PET=np.nan, tumor_ml=[*range(20), *range(80, 100)])
    derived = with_derived_columns(table, CT_PET, set(table["case_id"][:20]))
    one, all_of_them = judge_table(derived, make_rules(LIMITS, CT_PET), tmp_path / "docs", WARN)
    assert one.rule.check == "unlike_champion"
    assert one.case_ids == tuple(table["case_id"][20:])
    assert one.found[0] == "tumor_ml 80"
    assert (all_of_them.rule.check, all_of_them.case_ids, all_of_them.found) == ("drift", (), ("1",))


def test_a_mirrored_copy_is_named_with_its_twin(tmp_path):
    table = case_table(9)
    grid = np.frombuffer(bytes.fromhex(table.loc[2, "coarse_grid"]), np.uint8).reshape(8, 8, 8)
    table.loc[7, "coarse_grid"] = np.flip(grid, 2).tobytes().hex()
    packed = np.frombuffer(base64.b64decode(table.loc[2, "image_detail"]), np.uint8)
    cells = np.flip(np.stack([packed >> 4, packed & 15], axis=1).reshape(16, 16, 16), 2).reshape(-1, 2)
    table.loc[7, "image_detail"] = base64.b64encode((cells[:, 0] << 4 | cells[:, 1]).tobytes()).decode()
    (violation,) = _judge(table, tmp_path / "docs")
    assert violation.rule.check == "near_duplicate_image"
    assert violation.case_ids == ("c-000002", "c-000007")
    assert violation.found == ("c-000007 mirrored", "c-000002 mirrored")


def test_one_maker_alone_concerns_the_table_not_its_cases(tmp_path):
    (violation,) = _judge(case_table(9).assign(manufacturer="Kneebone Imaging"), tmp_path / "docs")
    assert (violation.rule.check, violation.case_ids, violation.found) == ("scanner_mix", (), ("1",))


def test_docs_identify_nobody_call_nobody_home_and_repeat_to_the_byte(tmp_path):
    table = case_table().assign(sex="O", institution="St. Elsewhere")
    table.loc[2, "manufacturer"] = "Secret Maker"
    table.loc[3, "spacing_row_mm"] = 77.0
    for name in ("one", "two"):
        _judge(table, tmp_path / name)
    pages = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file()]
    assert len([p for p in pages if p.suffix == ".html"]) == 3
    for page in pages:
        assert (tmp_path / "one" / page).read_bytes() == (tmp_path / "two" / page).read_bytes(), page
    text = "".join((tmp_path / "one" / p).read_text() for p in pages if p.suffix == ".html")
    assert "c-000003" in text
    # Nothing is loaded from elsewhere, and without it the page still shows what held; a link may be followed by who wants.
    assert re.findall(r"(?:src|<link[^>]*href)=\"https?:[^\"]*|<script", text) == []
    assert ".fa-times::before" in text
    index = (tmp_path / "one" / "index.html").read_text()
    linked = re.findall(r'href="([^"]*)"', index)
    assert {name.split("/")[0] for name in linked} == {"validations", "expectations"}
    assert all((tmp_path / "one" / name).is_file() for name in linked)
    for secret in ("Secret Maker", "St. Elsewhere", str(tmp_path), "great-expectations-web-assets", "1970-01-01T"):
        assert secret not in text


def test_a_missing_column_is_named(tmp_path):
    table = with_derived_columns(case_table(), CT_PET).drop(columns=["max__PET", "n_rows"])
    with pytest.raises(ArtifactError, match="n_rows, max__PET"):
        judge_table(table, make_rules(LIMITS, CT_PET), tmp_path / "docs", WARN)


def test_a_column_of_another_type_is_an_artifact_error(tmp_path):
    with pytest.raises(ArtifactError, match="spacing"):
        _judge(case_table().assign(spacing_row_mm="wide"), tmp_path / "docs")


def test_a_hundred_thousand_cases_are_judged(tmp_path):
    table = case_table(100_000).assign(
        coarse_grid="", image_detail=""
    )  # benchmarks/validation.py has the time of it all
    table.loc[::10, "spacing_row_mm"] = 50.0
    (violation,) = _judge(table, tmp_path / "docs")
    assert len(violation.case_ids) == 10_000


def test_great_expectations_is_silent_at_info():
    code = (
        "import logging; logging.basicConfig(level='INFO'); import tempfile; from pathlib import Path;"
        "from support.case_tables import CT_PET, case_table;"
        "from lesionflow.validation.checks import Rule;"
        "from lesionflow.validation.expectations import judge_table;"
        "judge_table(case_table(), [Rule('spacing', 'not_null', 'spacing_row_mm')], Path(tempfile.mkdtemp()) / 'docs', {'spacing': 'warn'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=TESTS)
    # numexpr, which pandas loads, greets where it has not been told how many threads to take.
    said = [line for line in done.stderr.splitlines() if "numexpr" not in line]
    assert (done.stdout, said) == ("", [])


@pytest.mark.parametrize(
    ("severity", "sentence"),
    [
        ("warn", "The data passed validation with 1 warning."),
        ("quarantine", "The data passed validation with 1 case in quarantine."),
        ("fail", "The data failed validation."),
    ],
)
def test_data_docs_and_summary_give_one_verdict(tmp_path, severity, sentence):
    table = case_table()
    table.loc[2, "mirrored_inside_fraction"] = 1.3735440931780366
    severities = {**WARN, "alignment": severity}
    rules = make_rules(LIMITS, CT_PET)
    derived = with_derived_columns(table.assign(outline_contrast__PET=np.nan), CT_PET)
    violations = judge_table(derived, rules, tmp_path / "docs", severities)
    verdict = reach_verdict(violations, severities, n_cases=len(table), max_quarantined_fraction=0.5)
    write_verdict(tmp_path / "docs", verdict.sentence)
    summary = summary_html(verdict, rules, severities, mixes={}, sheets=[])
    (page,) = (tmp_path / "docs" / "validations").rglob("*.html")
    docs = page.read_text()
    for text in (docs, summary):
        assert sentence in text
        assert not re.search(r"\d\.\d{6,}", re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL))
        assert 'name="viewport"' in text
    assert "Status:" in docs
    assert not re.search(r"Status:</span>\s*<i", docs)
    assert "0.3735" in summary
    assert f"(if it does not hold: {severity})" in (tmp_path / "docs/expectations/case_table.html").read_text()


def test_a_figure_is_told_from_the_bound_that_it_is_beyond():
    assert show_figure(0.3735440931780366, None, 0.1) == "0.3735"
    assert float(show_figure(0.10000004, None, 0.1)) > 0.1
    assert show_figure(np.float64(12345.678), 1.0, 3.0) == "1.235e+04"
    assert show_figure("c-1 mirrored") == "c-1 mirrored"
