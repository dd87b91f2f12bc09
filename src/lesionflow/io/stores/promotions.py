"""What the step `promote` writes: its decision, for programs."""

import json
from pathlib import Path

from pydantic import ValidationError

from lesionflow.data.gate_decision import GateDecision
from lesionflow.errors import ArtifactError
from lesionflow.io.files import read_json, write_text
from lesionflow.machine.error_words import plain_words


def write_decision(path: Path, decision: GateDecision) -> None:
    """Write a decision, whole or not at all."""
    write_text(path, json.dumps(decision.model_dump(mode="json"), indent=2, allow_nan=False) + "\n")


def read_decision(path: Path) -> GateDecision:
    """Read a decision.

    Raises:
        ArtifactError: When there is none, or it was written by a version that kept less.
    """
    try:
        return GateDecision.model_validate(read_json(path))
    except ValidationError as error:
        raise ArtifactError(
            f"Expected a decision in {path.name}, found: {plain_words(error)}. Run promote again."
        ) from error
