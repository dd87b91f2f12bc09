"""The plan on disk, as the step `plan` writes it."""

from pathlib import Path

from lesionflow.data.plan import Plan
from lesionflow.errors import ArtifactError


def read_plan(path: Path) -> Plan:
    """Read what `plan` wrote.

    Raises:
        ArtifactError: When it is not that.
    """
    try:
        return Plan.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"Expected a plan in {path.name}, found: {error!s:.300}. Run plan again.") from error
