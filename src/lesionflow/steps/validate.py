"""The step `validate`: check the case table; quarantine cases, or fail the run."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

from lesionflow.config import Settings, ValidateConfig
from lesionflow.errors import DataQualityError
from lesionflow.io.cases import read_dataset, read_table
from lesionflow.io.storage import replacing_folder
from lesionflow.validation.checks import Limits, make_rules, require_known_severities, with_derived_columns
from lesionflow.validation.expectations import judge
from lesionflow.validation.report import Verdict, findings_json, quarantine_json, reach_verdict, summary_html

FINDINGS, QUARANTINE, SUMMARY, DATA_DOCS = "findings.json", "quarantine.json", "summary.html", "data_docs"
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
        outputs: `validation`: `findings.json`, `quarantine.json`, `summary.html` and `data_docs/`.
        settings: Not used.

    Returns:
        `n_cases`, `n_findings` and `n_quarantined`.

    Raises:
        ConfigError: When `severity` does not name exactly the checks.
        DataQualityError: When a check of severity `fail` does not hold, or too many cases are in quarantine.
    """
    del settings
    require_known_severities(config.severity)
    output = outputs["validation"]
    failed = output.with_name(output.name + ".failed")
    with replacing_folder(failed) as folder:
        verdict = _write_report(config, inputs["cases"], folder)
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


def _write_report(config: ValidateConfig, cases: Path, folder: Path) -> Verdict:
    dataset, table = read_dataset(cases), read_table(cases)
    limits = Limits(**config.model_dump(include=set(Limits.__dataclass_fields__)))
    rules = tuple(rule for rule in make_rules(limits, dataset) if config.severity[rule.check] != "off")
    violations = judge(with_derived_columns(table, dataset), rules, folder / DATA_DOCS)
    verdict = reach_verdict(
        violations,
        config.severity,
        n_cases=len(table),
        max_quarantined_fraction=config.max_quarantined_fraction,
    )
    (folder / FINDINGS).write_text(findings_json(verdict), encoding="utf-8")
    (folder / QUARANTINE).write_text(quarantine_json(verdict), encoding="utf-8")
    (folder / SUMMARY).write_text(summary_html(verdict, rules, config.severity), encoding="utf-8")
    return verdict
