"""Scores that were made and written, but not shown in MLflow: they wait in their folder, so that nothing is scored twice."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from lesionflow import __version__
from lesionflow.evaluation.scoring import Scores
from lesionflow.io.files import write_text
from lesionflow.io.stores.evaluations import ABOUT, BINS, CASES, DETECTIONS, LESIONS, OVERLAYS

#: Stands in the folder of an evaluation that MLflow did not take; says why, and which version made it.
MARK = "not_logged.json"
logger = logging.getLogger(__name__)


class KeptScores(NamedTuple):
    """What was scored, and a picture a case."""

    scores: Scores
    pictures: dict[str, bytes]


def mark_unlogged(folder: Path, fault: str) -> None:
    """Note that MLflow did not take an evaluation."""
    write_text(folder / MARK, json.dumps({"lesionflow_version": __version__, "fault": fault}, indent=2) + "\n")


def find_unlogged(folder: Path, about: Mapping[str, Any]) -> KeptScores | None:
    """Return the scores that wait in a folder, if they are of what is to be evaluated now.

    Args:
        folder: Where the evaluation is to go.
        about: What is to be evaluated: bundle, run, test set.

    Returns:
        The scores; None where there are none, or of another bundle, test set or version, or they can't be read.
    """
    try:
        mark, known = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (MARK, ABOUT))
        if mark["lesionflow_version"] != __version__ or any(known.get(key) != value for key, value in about.items()):
            return None
        tables = [pd.read_parquet(folder / name) for name in (CASES, LESIONS, DETECTIONS, BINS)]
        pictures = {path.stem: path.read_bytes() for path in sorted((folder / OVERLAYS).glob("*.png"))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if set(pictures) != set(tables[0]["case_id"]):
        return None
    logger.info("scored before, and not shown in MLflow then; it is shown now, and nothing is scored anew")
    return KeptScores(Scores(*tables), pictures)
