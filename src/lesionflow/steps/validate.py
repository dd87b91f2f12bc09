"""The step `validate`: check the case table; quarantine cases, or fail the run."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from lesionflow.config import Settings, ValidateConfig
from lesionflow.config.sqlite_address import sqlite_file
from lesionflow.errors import ArtifactError, DataQualityError, ServiceError
from lesionflow.io.files import replacing_folder
from lesionflow.io.stores.cases import read_dataset, read_table, thumbnail_path
from lesionflow.io.stores.validations import DATA_DOCS, FINDINGS, QUARANTINE, SUMMARY
from lesionflow.validation.checks import Limits, make_rules, require_known_severities, with_derived_columns
from lesionflow.validation.expectations import judge_table, write_verdict
from lesionflow.validation.report import DataVerdict, findings_json, mixes, quarantine_json, reach_verdict, summary_html
from lesionflow.validation.thumbnails import draw_sheets

SHEETS = "sheets"
#: Nobody looks through more; cases with findings come first.
MAX_SHEET_CASES = 960
logger = logging.getLogger(__name__)


def run(
    config: ValidateConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Check the cases and write the report.

    A report that refuses the data lies beside the output, as `<output>.failed`, so that no later run takes it for a
    pass.

    Args:
        config: Limits, and what happens beyond them.
        inputs: `cases`.
        outputs: `validation`: `findings.json`, `quarantine.json`, `summary.html`, `sheets/` and `data_docs/`.
        settings: The tracking URI, where the champion is found.

    Returns:
        `n_cases`, `n_findings` and `n_quarantined`.

    Raises:
        ConfigError: When `severity` does not name exactly the checks.
        DataQualityError: When a check of severity `fail` does not hold, or too many cases are in quarantine.
    """
    require_known_severities(config.severity)
    output = outputs["validation"]
    failed = output.with_name(output.name + ".failed")
    with replacing_folder(failed) as folder:
        verdict = _write_report(config, inputs["cases"], folder, _champion_cases(config, settings))
    for finding in verdict.findings:
        logger.warning("%s", finding.sentence)
    shutil.rmtree(output, ignore_errors=True)
    if verdict.refusals:
        message = "The data failed validation:\n" + "\n".join(f"  {refusal}" for refusal in verdict.refusals)
        raise DataQualityError(f"{message}\nRead {failed / SUMMARY}.", report=str(failed / SUMMARY))
    failed.rename(output)
    logger.info("%d cases passed validation, %d are in quarantine", verdict.n_cases, len(verdict.quarantine))
    return {
        "n_cases": float(verdict.n_cases),
        "n_findings": float(len(verdict.findings)),
        "n_quarantined": float(len(verdict.quarantine)),
    }


def _champion_cases(config: ValidateConfig, settings: Settings) -> frozenset[str]:
    """Return the cases that the champion was trained and validated on; none without a champion.

    A store that is a file, and is not there, is not made, and mlflow is not loaded for nothing.
    """
    file = sqlite_file(settings.tracking_uri)
    if not config.champion_model_name or (file is not None and not file.exists()):
        return frozenset()
    from lesionflow.registry.registered_bundles import fetch_bundle
    from lesionflow.registry.versions import CHAMPION, find_version

    try:
        if find_version(config.champion_model_name, CHAMPION, settings.tracking_uri) is None:
            return frozenset()
        card = fetch_bundle(config.champion_model_name, CHAMPION, settings.tracking_uri).card
    except (ServiceError, ArtifactError) as error:
        logger.warning("The cases are not compared with the champion's: %s", error)
        return frozenset()
    return frozenset((*card.trained_cases, *card.validation_cases))


def _write_report(config: ValidateConfig, cases: Path, folder: Path, champion_cases: frozenset[str]) -> DataVerdict:
    dataset, table = read_dataset(cases), read_table(cases)
    limits = Limits(**config.model_dump(include=set(Limits.__dataclass_fields__)))
    rules = tuple(rule for rule in make_rules(limits, dataset) if config.severity[rule.check] != "off")
    violations = judge_table(
        with_derived_columns(table, dataset, champion_cases), rules, folder / DATA_DOCS, config.severity
    )
    verdict = reach_verdict(
        violations,
        config.severity,
        n_cases=len(table),
        max_quarantined_fraction=config.max_quarantined_fraction,
    )
    write_verdict(folder / DATA_DOCS, verdict.sentence)
    (folder / FINDINGS).write_text(findings_json(verdict), encoding="utf-8")
    (folder / QUARANTINE).write_text(quarantine_json(verdict), encoding="utf-8")
    sheets = _write_sheets(verdict, table, cases, folder)
    page = summary_html(verdict, rules, config.severity, mixes=mixes(table), sheets=sheets)
    (folder / SUMMARY).write_text(page, encoding="utf-8")
    return verdict


def _write_sheets(verdict: DataVerdict, table: pd.DataFrame, cases: Path, folder: Path) -> list[str]:
    """Lay the thumbnails of all cases out, those with findings first; return the names of the sheets."""
    said: dict[str, str] = {}
    for finding in verdict.findings:
        for case_id in finding.case_ids:
            said[case_id] = f"{said[case_id]}, {finding.check}" if case_id in said else finding.check
    pictures = []
    for case_id in sorted(table["case_id"], key=lambda name: (name not in said, name))[:MAX_SHEET_CASES]:
        path = thumbnail_path(cases, case_id)
        if path.exists():
            pictures.append((case_id, path.read_bytes(), said.get(case_id, "")))
    names = []
    for number, png in enumerate(draw_sheets(pictures), 1):
        names.append(f"{SHEETS}/{number:03d}.png")
        (folder / SHEETS).mkdir(exist_ok=True)
        (folder / names[-1]).write_bytes(png)
    return names
