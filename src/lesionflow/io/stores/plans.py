"""The plan on disk, written by the step `plan` and read by all that follow."""

from pathlib import Path

from lesionflow.data.plan import Plan
from lesionflow.errors import ArtifactError
from lesionflow.io.files import write_text
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine


def read_plan(path: Path) -> Plan:
    """Read what `plan` wrote.

    Raises:
        ArtifactError: When it is not that.
    """
    try:
        return Plan.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        blame_machine(error)
        raise ArtifactError(
            f"Expected a plan in {path.name}, found: {plain_words(error, length=300)}. Run plan again."
        ) from error


def write_plan(path: Path, plan: Plan) -> None:
    """Write a plan, whole or not at all."""
    write_text(path, plan.model_dump_json(indent=2) + "\n")
