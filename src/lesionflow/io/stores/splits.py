"""The split on disk, as the step `split` writes it: it locks the test set."""

from pathlib import Path

from lesionflow.data.split import Split
from lesionflow.errors import ArtifactError
from lesionflow.io.files import write_text
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

RESTORE = "Restore it with git or DVC: it locks the test set."


def read_split(path: Path) -> Split:
    """Read a split.

    Raises:
        ArtifactError: When it is none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        blame_machine(error)
        message = f"Expected a split at {path}, found: {plain_words(error, length=300)}. {RESTORE}"
        raise ArtifactError(message) from error
    return split_from(content, f"at {path}", RESTORE)


def split_from(content: bytes, where: str, advice: str) -> Split:
    """Read a split of its bytes.

    Args:
        content: The bytes.
        where: Where they lie, for the message.
        advice: What to do, where they are none.

    Raises:
        ArtifactError: When they are none.
    """
    try:
        return Split.model_validate_json(content)
    except ValueError as error:
        message = f"Expected a split {where}, found: {plain_words(error, length=300)}. {advice}"
        raise ArtifactError(message) from error


def write_split(path: Path, split: Split) -> None:
    """Write a split, whole or not at all."""
    write_text(path, split.model_dump_json(indent=2) + "\n")
