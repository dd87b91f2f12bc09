"""The report of the step `validate` on disk: the names of its files, and which cases it put in quarantine."""

import json
from pathlib import Path
from typing import Any

from lesionflow.errors import ArtifactError
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

FINDINGS, QUARANTINE, SUMMARY, DATA_DOCS = "findings.json", "quarantine.json", "summary.html", "data_docs"


def read_quarantine(validation: Path) -> dict[str, list[str]]:
    """Read which cases are in quarantine, and by which checks.

    Raises:
        ArtifactError: When the folder is no report of `validate`.
    """
    try:
        content = json.loads((validation / QUARANTINE).read_text(encoding="utf-8"))
        return {str(case_id): [str(check) for check in _listed(checks)] for case_id, checks in content.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        blame_machine(error)
        message = f"Expected {QUARANTINE} of `lesionflow validate` in {validation}, found: {plain_words(error, within=validation)}. Run validate."
        raise ArtifactError(message) from error


def _listed(checks: Any) -> list[Any]:
    if not isinstance(checks, list):
        message = f"a list of checks was expected, {checks!r:.40} is none"
        raise TypeError(message)
    return checks
