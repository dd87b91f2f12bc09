"""The split on disk, as the step `split` writes it: it locks the test set."""

from pathlib import Path

from lesionflow.data.split import Split
from lesionflow.errors import ArtifactError
from lesionflow.io.files import write_text
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine


def read_split(path: Path) -> Split:
    """Read a split.

    Raises:
        ArtifactError: When it is none.
    """
    try:
        return Split.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        blame_machine(error)
        message = f"Expected a split at {path}, found: {plain_words(error, length=300)}. Restore it with git or DVC: it locks the test set."
        raise ArtifactError(message) from error


def write_split(path: Path, split: Split) -> None:
    """Write a split, whole or not at all."""
    write_text(path, split.model_dump_json(indent=2) + "\n")
