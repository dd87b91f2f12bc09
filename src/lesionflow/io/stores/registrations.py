"""What the step `register` writes: which version of which model a bundle became."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from lesionflow.errors import ArtifactError
from lesionflow.io.files import read_json, write_text
from lesionflow.machine.error_words import plain_words


class Registration(BaseModel):
    """What `register` writes: which version of which model the bundle is; of an experiment its name, and no version."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_name: str
    version: str
    run_id: str
    bundle_digest: str
    alias: str
    experiment: str = ""


def read_registration(path: Path) -> Registration:
    """Read what `register` wrote.

    Raises:
        ArtifactError: When it is not that.
    """
    try:
        return Registration.model_validate(read_json(path))
    except ValidationError as error:
        raise ArtifactError(
            f"Expected a registration in {path.name}, found: {plain_words(error)}. Run register."
        ) from error


def write_registration(path: Path, registration: Registration) -> None:
    """Write a registration, whole or not at all."""
    write_text(path, registration.model_dump_json(indent=2, exclude_defaults=True) + "\n")
