"""Read and check params: a file, or one section; every fault is named at once."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from lesionflow.config.names import did_you_mean
from lesionflow.config.sections import Params
from lesionflow.config.sections.section import Section
from lesionflow.config.yaml_reading import KeyPath, YamlFile, read_yaml
from lesionflow.errors import ConfigError

#: Keys that were params once, and where what they said stands now.
MOVED: Mapping[str, str] = {
    "promote.metric": "`primary.metric` of change_plan.yaml",
    "promote.min_test_patients": "`min_test_patients` of change_plan.yaml",
    "promote.min_score": "`floors` of change_plan.yaml",
    "promote.min_gain": "`primary.min_gain` of change_plan.yaml",
    "promote.n_bootstrap": "of no use: patients' signs are flipped",
    "promote.seed": "of no use: the draws are fixed",
}
#: A section as plain values, or as text.
SectionValues = Mapping[str, object] | str
SectionT = TypeVar("SectionT", bound=Section)


def load_section(kind: type[SectionT], values: SectionValues, name: str) -> SectionT:
    """Check one params section.

    Args:
        kind: The section's class.
        values: What params.yaml holds under the section's name; or its text, YAML or as `section_text` writes it.
        name: The section's name, for the message.

    Returns:
        The frozen section.

    Raises:
        ConfigError: When a key is missing, unknown or out of range; the message lists each with what was found.
    """
    where = f"params section `{name}`"
    content, lines = _parse_section(values, where) if isinstance(values, str) else (values, {})
    return check_section(content, kind, where, lines)


def section_values(values: SectionValues, name: str) -> dict[str, Any]:
    """Return a params section, or a part of one, as plain values; they are not checked.

    Args:
        values: The values, or their text.
        name: The section's name, for the message.

    Raises:
        ConfigError: When the text is none of a mapping.
    """
    where = f"params section `{name}`"
    content = _parse_section(values, where).values if isinstance(values, str) else values
    if not isinstance(content, Mapping):
        raise ConfigError(
            f"Expected {where} as keys with values, found {type(content).__name__}: {str(content)[:40]!r}."
        )
    return dict(content)


def section_text(values: Mapping[str, object]) -> str:
    """Write one params section as a text, as Kubeflow takes it: of a dict it forgets the order, by which labels overlap and channels lie.

    Args:
        values: What params.yaml holds under the section's name.

    Returns:
        JSON with the keys in their order.

    Examples:
        >>> section_text({"labels": {"tumor": 1, "liver": 2}})
        '{"labels": {"tumor": 1, "liver": 2}}'
    """
    return json.dumps(values, ensure_ascii=False)


def read_section(path: Path, kind: type[SectionT], what: str, mend: str) -> SectionT:
    """Read a YAML file that holds one section.

    Args:
        path: The file.
        kind: The section's class.
        what: What the file is called, such as `change plan`.
        mend: What to do where there is none.

    Returns:
        The frozen section.

    Raises:
        ConfigError: When the file can't be read or does not fit; the message lists each key that is missing, unknown or out of range.
    """
    values, lines = read_yaml_file(path, what, mend)
    return check_section(values, kind, str(path), lines)


def check_section(
    values: object, kind: type[SectionT], where: str, lines: Mapping[KeyPath, int] | None = None
) -> SectionT:
    """Check the content of a file that holds one section.

    Args:
        values: What the file holds.
        kind: The section's class.
        where: Which file, for the message.
        lines: Where each key stands in it, for the message.

    Returns:
        The frozen section.

    Raises:
        ConfigError: When they do not fit; the message lists each key that is missing, unknown or out of range.
    """
    try:
        return kind.model_validate_json(_json(values, where), strict=True)
    except ValidationError as error:
        raise ConfigError(_explain(error, where, kind, lines or {})) from error


def load_params(path: Path) -> dict[str, dict[str, object]]:
    """Read and check a whole params file.

    Args:
        path: A YAML file with one section a step.

    Returns:
        The sections as plain values, as `run_step` takes them.

    Raises:
        ConfigError: When the file can't be read or does not fit `Params`.
    """
    values, lines = read_yaml_file(path, "params file", "Name one with --params.")
    return check_params(values, str(path), lines)


def check_params(
    values: object, where: str, lines: Mapping[KeyPath, int] | None = None
) -> dict[str, dict[str, object]]:
    """Check a whole params file's content.

    Args:
        values: What the file holds.
        where: Which file, for the message.
        lines: Where each key stands in it, for the message.

    Returns:
        The sections as plain values.

    Raises:
        ConfigError: When they do not fit `Params`; the message lists each key that is missing, unknown or out of range.
    """
    return check_section(values, Params, where, lines).model_dump(mode="json", by_alias=True)


def read_yaml_file(path: Path, what: str, mend: str) -> YamlFile:
    """Read a YAML file of ours; its values are not checked.

    Args:
        path: The file.
        what: What it is called, such as `params file`.
        mend: What to do where there is none.

    Raises:
        ConfigError: When it can't be read, or YAML 1.1 and 1.2 differ on it.
    """
    try:
        return read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, AttributeError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"Expected a readable YAML {what} at {path}, found: {error}. {mend}") from error


def _json(values: object, where: str) -> str:
    """Write values as JSON, of which pydantic checks types strictly: no text is a number, no number true or false."""
    try:
        return json.dumps(values)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{where} does not fit: expected texts, numbers, lists and mappings, found: {error}."
        ) from error


def _parse_section(text: str, where: str) -> YamlFile:
    try:
        # JSON's numbers are not all YAML's: `1e-05` is a text there.
        return YamlFile(json.loads(text, object_pairs_hook=_unique), {}) if text[:1] == "{" else read_yaml(text)
    except (ValueError, AttributeError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"Expected {where} as YAML or JSON, found: {error}. Copy it from a params file.") from error


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError(f"a key that stands twice among {', '.join(name for name, _ in pairs)}")
    return values


def _explain(error: ValidationError, where: str, kind: type[BaseModel], lines: Mapping[KeyPath, int]) -> str:
    faults = [_fault(found, kind, lines) for found in error.errors()]
    return f"{where} does not fit; mend these {len(faults)} entries:\n" + "\n".join(faults)


def _fault(found: Any, kind: type[BaseModel], lines: Mapping[KeyPath, int]) -> str:
    place: KeyPath = found["loc"]
    # Below a union pydantic names the choice that it tried, and what is missing has no line: then it is that of what holds it.
    line = next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), None)
    path = ".".join(map(str, place)) or "(all)"
    hint = ""
    if found["type"] == "extra_forbidden":
        moved = MOVED.get(path)
        hint = (
            f" It is {moved}, now: take it out here." if moved else did_you_mean(place[-1], _fields(kind, place[:-1]))
        )
    elif found["type"] in {"literal_error", "enum"}:
        hint = did_you_mean(found["input"], re.findall(r"'([^']*)'", str(found["ctx"]["expected"])))
    at = f" (line {line})" if line else ""
    return f"  {path}{at}: {found['msg']} (found {found['input']!r:.80}){hint}"


def _fields(kind: Any, place: KeyPath) -> list[str]:
    """Return the keys of the section at a place, which leads through entries of lists and mappings too."""
    for step in place:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            by_name = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
            kind = by_name.get(str(step))
        else:
            kind = next((one for one in get_args(kind) if isinstance(one, type) and issubclass(one, BaseModel)), None)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [field.alias or name for name, field in kind.model_fields.items()]
    return []
