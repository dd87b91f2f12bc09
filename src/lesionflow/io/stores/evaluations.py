"""An evaluation on disk, as the step `evaluate` writes it: the names of its files, its tables, what it was of."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from lesionflow.errors import ArtifactError
from lesionflow.io.files import read_json
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

ABOUT, METRICS_FILE, HEADLINE_FILE, NNUNET_SUMMARY = "evaluation.json", "metrics.json", "headline.json", "summary.json"
#: Scores by case, what is shown of them in MLflow and DVC, and the report for people.
CASES, LESIONS, REPORT = "cases.parquet", "lesions.parquet", "report.html"
#: What FROC and reliability are summed from, and a picture a case.
DETECTIONS, BINS, OVERLAYS = "detections.parquet", "reliability.parquet", "overlays"
#: Of whom the data are, counted.
COHORT = "cohort.json"
#: Pictures of all cases together, which DVC shows.
PLOTS = "plots"


class StoredEvaluation(NamedTuple):
    """A model's scores on its test set; `name` is what people call the model."""

    name: str
    run_id: str
    cases: pd.DataFrame
    test_set_sha256: str
    bundle_digest: str


def read_evaluation(folder: Path, name: str) -> StoredEvaluation:
    """Read what `evaluate` wrote.

    Raises:
        ArtifactError: When it is not that.
    """
    try:
        about, cases = (folder / ABOUT).read_bytes(), (folder / CASES).read_bytes()
    except OSError as error:
        blame_machine(error)
        raise ArtifactError(
            f"Expected the evaluation of {name}, found: {plain_words(error, length=200, within=folder)}. Run evaluate."
        ) from error
    return parse_evaluation(about, cases, name)


def parse_evaluation(about: bytes, cases: bytes, name: str) -> StoredEvaluation:
    """Put together what `evaluate` wrote, from the bytes of `evaluation.json` and `cases.parquet`.

    Raises:
        ArtifactError: When they are not that.
    """
    try:
        known = json.loads(about)
        table = pd.read_parquet(io.BytesIO(cases))
        return StoredEvaluation(name, known["run_id"], table, known["test_set_sha256"], known["bundle_digest"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        blame_machine(error)
        raise ArtifactError(
            f"Expected the evaluation of {name}, found: {plain_words(error, length=200)}. Run evaluate again."
        ) from error


def read_about(folder: Path, bundle_digest: str) -> dict[str, Any]:
    """Read `evaluation.json`: what was evaluated, on which test set.

    Raises:
        ArtifactError: When it is missing, or of another bundle.
    """
    evaluation = read_json(folder / ABOUT)
    if evaluation.get("bundle_digest") != bundle_digest:
        message = (
            f"Expected an evaluation of bundle {bundle_digest:.12}, found one of "
            f"{evaluation.get('bundle_digest')!s:.12}. Run evaluate again."
        )
        raise ArtifactError(message)
    return evaluation


def read_metrics(folder: Path) -> dict[str, Any]:
    """Read `metrics.json`: every metric of the first target with its interval, and those of others below their names.

    Raises:
        ArtifactError: When it is missing, none, or holds no figures.
    """
    metrics = read_json(folder / METRICS_FILE)
    dice = metrics.get("dice")
    if not isinstance(dice, dict) or "mean" not in dice:
        raise ArtifactError(f"Expected the Dice with its mean in {METRICS_FILE}, found none. Run evaluate again.")
    return metrics


def read_cohort(folder: Path) -> dict[str, Any]:
    """Read `cohort.json`: of whom the training and the test data are; empty where an older version evaluated.

    Raises:
        ArtifactError: When it is broken.
    """
    return read_json(folder / COHORT) if (folder / COHORT).exists() else {}


def read_scores(folder: Path, metric: str) -> pd.DataFrame:
    """Read the scores by case.

    Args:
        folder: The evaluation.
        metric: A column that must be there.

    Raises:
        ArtifactError: When they can't be read or lack a column.
    """
    path = folder / CASES
    needed = {"case_id", "patient_id", "target", metric}
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        blame_machine(error)
        raise ArtifactError(
            f"Expected scores in {path.name}, found: {plain_words(error)}. Run evaluate again."
        ) from error
    if missing := needed - set(table):
        message = f"Expected scores with the columns {', '.join(sorted(missing))} in {path.name}, found none."
        raise ArtifactError(f"{message} Run evaluate again.")
    return table


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write tables by name, each for programs (Parquet) and for people (CSV)."""
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
        table.to_csv(folder / f"{name}.csv", index=False)
