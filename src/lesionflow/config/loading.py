"""Read and check params: a file, or one section; every fault is named at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from lesionflow.config.sections import Params
from lesionflow.config.sections.section import Section
from lesionflow.errors import ConfigError

SectionT = TypeVar("SectionT", bound=Section)


def load_section(kind: type[SectionT], values: Mapping[str, object], name: str) -> SectionT:
    """Check one params section.

    Args:
        kind: The section's class.
        values: What params.yaml holds under the section's name.
        name: The section's name, for the message.

    Returns:
        The frozen section.

    Raises:
        ConfigError: When a key is missing, unknown or out of range; the message lists each with what was found.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, f"params section `{name}`")) from error


def load_params(path: Path) -> dict[str, dict[str, object]]:
    """Read and check a whole params file.

    Args:
        path: A YAML file with one section a step.

    Returns:
        The sections as plain values, as `run_step` and a Kubeflow `dict` parameter take them.

    Raises:
        ConfigError: When the file can't be read or does not fit `Params`.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, AttributeError, RecursionError, yaml.YAMLError) as error:
        message = f"Expected a readable YAML params file at {path}, found: {error}. Name one with --params."
        raise ConfigError(message) from error
    return check_params(values, str(path))


def check_params(values: object, where: str) -> dict[str, dict[str, object]]:
    """Check a whole params file's content.

    Args:
        values: What the file holds.
        where: Which file, for the message.

    Returns:
        The sections as plain values.

    Raises:
        ConfigError: When they do not fit `Params`; the message lists each key that is missing, unknown or out of range.
    """
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, where)) from error
    return params.model_dump(mode="json", by_alias=True)


def _explain(error: ValidationError, where: str) -> str:
    faults = [
        f"  {'.'.join(map(str, e['loc'])) or '(all)'}: {e['msg']} (found {e['input']!r:.80})" for e in error.errors()
    ]
    return f"{where} does not fit; mend these {len(faults)} entries:\n" + "\n".join(faults)
