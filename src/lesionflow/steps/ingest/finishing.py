"""What `ingest` writes when all studies are read: the table, what was refused and said, and whether enough is left."""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from lesionflow.config import IngestConfig, Settings
from lesionflow.data.dataset import CASE_COLUMNS, CHANNEL_COLUMNS, Dataset
from lesionflow.errors import DataQualityError
from lesionflow.io.files import write_text
from lesionflow.io.images.pictures.colors import differing_colors
from lesionflow.io.labels import IGNORED_VOXELS
from lesionflow.io.notes import Note
from lesionflow.io.stores import cases
from lesionflow.io.stores.case_index import Entry, write_case_index
from lesionflow.io.stores.private import SOURCES_FILE

#: What is told of a study that was refused.
REFUSAL_KEYS = ("case_id", "reason", "message")
logger = logging.getLogger(__name__)


def finish_cases(folder: Path, dataset: Dataset, index: Mapping[str, Entry], general: Sequence[Note]) -> None:
    """Write the folder's table, refusals, notes, declaration and index; remove what no case needs.

    Args:
        folder: Of the cases, whose own files are there.
        dataset: What cases hold.
        index: What is known of each.
        general: What was said of all studies together.
    """
    for left_by_a_kill in folder.glob(".partial-*"):
        left_by_a_kill.unlink()
    wanted = {file for entry in index.values() for file in entry.files}
    for name in cases.FOLDERS:
        for path in (folder / name).iterdir():
            if f"{name}/{path.name}" not in wanted:
                path.unlink()
    rows = [index[case_id].row for case_id in sorted(index) if index[case_id].row]
    # Refusals that were kept come from JSON too: each is written in one order.
    refused = [{key: index[c].refusal[key] for key in REFUSAL_KEYS} for c in sorted(index) if index[c].refusal]
    write_text(folder / cases.REJECTED, json.dumps(refused, indent=1) + "\n")
    of_all = said_of_all(index)
    for _, message in of_all:
        logger.warning("%s", message)
    write_text(folder / cases.NOTES, json.dumps(_notes(index, [*general, *of_all]), indent=1) + "\n")
    if rows:
        # Rows that were kept come from JSON, sorted by key: the columns must not tell which these are.
        cases.write_table(folder, pd.DataFrame(rows, columns=table_columns(dataset)))
    some_ignored = any(code == IGNORED_VOXELS for entry in index.values() for code, _ in entry.notes)
    cases.write_dataset(folder, dataset, len(rows), some_ignored=some_ignored)
    write_case_index(folder, index)


def said_of_all(index: Mapping[str, Entry]) -> list[Note]:
    """Return what only all cases together tell."""
    return differing_colors(entry.notes for entry in index.values() if entry.row)


def _notes(index: Mapping[str, Entry], general: Sequence[Note]) -> list[dict[str, str]]:
    """Return what was said: of all studies together under the case id "", then of each case."""
    said = [("", *each) for each in general]
    said += [(case_id, code, message) for case_id in sorted(index) for code, message in index[case_id].notes]
    return [dict(zip(("case_id", "code", "message"), each, strict=True)) for each in said]


def table_columns(dataset: Dataset) -> list[str]:
    """Return the columns of the case table."""
    return [*CASE_COLUMNS, *(f"{column}__{name}" for name in dataset.channels for column in CHANNEL_COLUMNS)]


def summary_of(dataset: Dataset, index: Mapping[str, Entry]) -> str:
    """Say in one line what came of the studies: cases, channels, labels, refusals by reason."""
    rows = [entry.row for entry in index.values() if entry.row]
    present = Counter(label for row in rows for label in row["labels_present"].split(","))
    labels = ", ".join(f"{name} in {present[str(value)]}" for name, value in dataset.labels.items())
    refused = Counter(entry.refusal["reason"] for entry in index.values() if entry.refusal)
    reasons = ", ".join(f"{reason} {n}" for reason, n in refused.most_common())
    return f"{len(rows)} cases with the channels {', '.join(dataset.channels)}; {labels}; {refused.total()} refused" + (
        f": {reasons}." if reasons else "."
    )


def require_enough_studies(config: IngestConfig, index: Mapping[str, Entry], folder: Path, settings: Settings) -> None:
    """Refuse the data as a whole where more studies are refused than params allow.

    Raises:
        DataQualityError: It names the first, and where all stand.
    """
    refused = [entry.refusal for entry in index.values() if entry.refusal]
    if refused and (len(refused) > config.max_rejected_fraction * len(index) or len(refused) == len(index)):
        first = "\n".join(f"  {r['case_id']} {r['reason']}: {r['message']}" for r in refused[:5])
        raise DataQualityError(
            f"Expected at most {config.max_rejected_fraction:.0%} of {len(index)} studies refused, found {len(refused)}:\n"
            f"{first}\nMend them ({settings.private_dir / SOURCES_FILE} says which folder each came from), or raise "
            "ingest.max_rejected_fraction.",
            report=str(folder / cases.REJECTED),
        )
