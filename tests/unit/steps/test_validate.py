import json
from pathlib import Path

import pytest
import yaml

from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.errors import ConfigError, DataQualityError
from lesionflow.io.stores.cases import write_dataset, write_table
from lesionflow.steps import run_step
from support.case_tables import CT_PET, case_table

PARAMS = yaml.safe_load((PRESETS_FOLDER / "phantom_ct.yaml").read_text())["validate"]


def _run(tmp_path, table, **changes):
    cases = tmp_path / "cases"
    cases.mkdir(exist_ok=True)
    write_dataset(cases, CT_PET, len(table))
    write_table(cases, table)
    return run_step("validate", {**PARAMS, **changes}, {"cases": cases}, {"validation": tmp_path / "r" / "validation"})


def test_a_good_table_passes_with_its_report(tmp_path):
    assert _run(tmp_path, case_table()) == {"n_cases": 12.0, "n_findings": 0.0, "n_quarantined": 0.0}
    report = tmp_path / "r" / "validation"
    assert sorted(p.name for p in report.iterdir()) == ["data_docs", "findings.json", "quarantine.json", "summary.html"]
    assert json.loads((report / "quarantine.json").read_text()) == {}
    assert (report / "data_docs" / "index.html").exists()
    assert {path.name for path in (tmp_path / "r").iterdir()} == {"validation", "attestations"}


def test_single_cases_are_quarantined_and_spoken_of(tmp_path, caplog):
    table = case_table()
    table.loc[2, "n_nan__PET"] = 4
    assert _run(tmp_path, table)["n_quarantined"] == 1.0
    assert json.loads((tmp_path / "r/validation/quarantine.json").read_text()) == {"c-000002": ["non_finite"]}
    assert "quarantine: non_finite: expected n_nan__PET from 0 to 0, found 4 in 1 cases (c-000002)" in caplog.text


def test_a_refusal_leaves_its_report_beside_the_output_and_no_old_pass(tmp_path):
    _run(tmp_path, case_table())
    copied = case_table()
    copied.loc[3, "image_sha256"] = copied.loc[1, "image_sha256"]
    with pytest.raises(DataQualityError, match="c-000001, c-000003") as caught:
        _run(tmp_path, copied)
    assert Path(caught.value.report) == tmp_path / "r" / "validation.failed" / "summary.html"
    assert Path(caught.value.report).exists()
    assert not (tmp_path / "r" / "validation").exists()
    _run(tmp_path, case_table())
    assert {path.name for path in (tmp_path / "r").iterdir()} == {"validation", "attestations"}


def test_too_many_in_quarantine_refuse_the_data(tmp_path):
    table = case_table()
    table.loc[:2, "n_rows"] = 8
    with pytest.raises(DataQualityError, match="max_quarantined_fraction"):
        _run(tmp_path, table)
    assert _run(tmp_path, table, max_quarantined_fraction=0.25)["n_quarantined"] == 3.0


def test_a_check_may_be_switched_off(tmp_path):
    table = case_table()
    table.loc[:5, "n_rows"] = 8
    assert _run(tmp_path, table, severity={**PARAMS["severity"], "shape": "off"})["n_findings"] == 0.0


def test_an_unknown_check_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="`colour` is no check"):
        _run(tmp_path, case_table(), severity={**PARAMS["severity"], "colour": "warn"})


@pytest.mark.parametrize("preset", sorted(PRESETS_FOLDER.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_preset_names_the_checks(preset, tmp_path):
    severity = yaml.safe_load(preset.read_text())["validate"]["severity"]
    assert _run(tmp_path, case_table(), severity=severity)["n_findings"] == 0.0
