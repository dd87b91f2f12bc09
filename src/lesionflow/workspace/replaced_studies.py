"""Whose studies were replaced by others: a corrected outline of a locked test patient changes what all models are tested on."""

from collections.abc import Collection
from pathlib import Path

from lesionflow.config import IngestConfig, Settings
from lesionflow.errors import InputError
from lesionflow.io.stores.splits import read_split
from lesionflow.workspace.layout import PATHS

MAX_NAMED = 8


def tell_replaced(workspace: Path, files: Collection[Path], config: IngestConfig, settings: Settings) -> str:
    """Say which locked test cases are of files that were replaced; empty where none is, or no split is there yet.

    Args:
        workspace: The workspace.
        files: The files of its studies that hold other bytes now.
        config: How studies are read.
        settings: Where the team's key is.
    """
    splits = workspace / PATHS["splits"]
    if not files or not splits.exists():
        return ""
    tested = set(read_split(splits).test)
    found = sorted(tested & _cases_of(workspace / PATHS["raw"], files, config, settings))
    if not found:
        return ""
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    of = "a locked test case" if len(found) == 1 else f"{len(found)} locked test cases"
    return (
        f"Files of {of} were replaced ({', '.join(found[:MAX_NAMED])}{more}): with the next run the test set has another digest, champion and challenger are both "
        "scored anew, and figures of before can't be compared with."
    )


def _cases_of(raw: Path, files: Collection[Path], config: IngestConfig, settings: Settings) -> set[str]:
    """Return the cases that files belong to; none where studies can't be told apart now, which the next run says."""
    from lesionflow.steps.ingest.step import READER_VERSION
    from lesionflow.steps.ingest.studies import open_studies

    wanted = {str(path.resolve()) for path in files}
    try:
        with open_studies(raw, config, settings, reader_version=READER_VERSION, only_recorded=False) as (_, tasks):
            return {
                task.case_id for task in tasks if wanted & {str(Path(file).resolve()) for file in task.source.files}
            }
    except InputError:
        return set()
