"""The compiled pipeline and its arguments: named by content, and refused by name where they do not fit together."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lesionflow.config import load_params
from lesionflow.config.loading import load_section, section_text
from lesionflow.config.presets import find_params
from lesionflow.config.presets.change_plans import find_change_plan
from lesionflow.errors import ConfigError
from lesionflow.steps import STEPS
from lesionflow.steps.fan_out.sweep import STEP, changed_params

#: So much of a sha256 tells versions and runs apart.
N_DIGITS = 12
CHANGE_PLAN, CANDIDATES = "change_plan", "candidates"
TYPES = {"STRING": str, "STRUCT": dict, "LIST": list, "BOOLEAN": bool, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": float}


class Package(NamedTuple):
    """A compiled pipeline.

    Args:
        path: The file.
        name: The pipeline's.
        digest: Of the file.
        inputs: What KFP says of each argument.
    """

    path: Path
    name: str
    digest: str
    inputs: Mapping[str, Mapping[str, Any]]

    @property
    def version(self) -> str:
        """The version's name: the same file is the same version."""
        return f"{self.name}-{self.digest[:N_DIGITS]}"


def read_package(path: Path) -> Package:
    """Read what `python -m pipelines.compile` wrote.

    Raises:
        ConfigError: When it is none, or was compiled for one machine.
    """
    try:
        content = path.read_bytes()
        spec = next(yaml.safe_load_all(content))
        name = str(spec["pipelineInfo"]["name"])
        inputs = dict(spec["root"].get("inputDefinitions", {}).get("parameters", {}))
        images = {one["container"]["image"] for one in spec["deploymentSpec"]["executors"].values()}
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, StopIteration) as error:
        raise ConfigError(
            f"Expected a compiled pipeline at {path}, found none. `python -m pipelines.compile` writes one."
        ) from error
    if here := sorted(image for image in images if "@sha256:" not in image):
        raise ConfigError(
            f"Expected images by registry and digest in {path}, found {here[0]}, which no node of a cluster has. Compile it with "
            "--registry and --digest."
        )
    return Package(path, name, hashlib.sha256(content).hexdigest(), inputs)


def gather_arguments(
    package: Package, params: str | None, change_plan: Path | None, given: Sequence[str]
) -> dict[str, Any]:
    """Gather what the pipeline is run with.

    Args:
        package: It says which arguments there are.
        params: A preset's name or a params file; None for none.
        change_plan: A file; None for the one that goes with the params.
        given: Others, `NAME=VALUE` each; of a dict or a list the value is JSON.

    Raises:
        ConfigError: When an argument is unknown, missing or of another type, or the params do not fit.
    """
    arguments: dict[str, Any] = {}
    if params:
        file = find_params(params)
        sections = load_params(file)
        arguments |= {name: _section(name, sections[name], package) for name in STEPS if name in package.inputs}
        if CHANGE_PLAN in package.inputs:
            arguments[CHANGE_PLAN] = (change_plan or find_change_plan(file)).read_text(encoding="utf-8")
    for text in given:
        name, found, value = text.partition("=")
        if not found:
            raise ConfigError(f"Expected NAME=VALUE after --set, found {name!r} without a value.")
        arguments[name] = _typed(name, value, package)
        if name in STEPS:
            load_section(STEPS[name].section, value, name)
    _require_fit(package, arguments)
    for candidate in arguments.get(CANDIDATES) or ():
        changed_params(arguments[STEP], candidate)
    return arguments


def name_of_run(package: Package, arguments: Mapping[str, Any]) -> str:
    """Return the name of a run of this version with these arguments: the same, the same."""
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"))
    return f"{package.version}-{hashlib.sha256(text.encode()).hexdigest()[:N_DIGITS]}"


def _section(name: str, values: Mapping[str, object], package: Package) -> str:
    if package.inputs[name].get("parameterType") != "STRING":
        raise ConfigError(
            f"Expected {package.path} to take the section {name} as text, found a dict, of which Kubeflow forgets the order. Compile it anew."
        )
    return section_text(values)


def _typed(name: str, value: str, package: Package) -> Any:
    kind = TYPES.get(str(package.inputs.get(name, {}).get("parameterType", "STRING")), str)
    if kind is str:
        return value
    try:
        read = json.loads(value)
    except ValueError as error:
        raise ConfigError(f"Expected JSON for the argument {name}, found {value[:40]!r}.") from error
    if not isinstance(read, kind) or (kind is not bool and isinstance(read, bool)):
        raise ConfigError(f"Expected a {kind.__name__} for the argument {name}, found {value[:40]!r}.")
    return read


def _require_fit(package: Package, arguments: Mapping[str, Any]) -> None:
    unknown = sorted(set(arguments) - set(package.inputs))
    missing = sorted(
        name for name, about in package.inputs.items() if name not in arguments and not about.get("isOptional")
    )
    faults = [f"no argument {', '.join(unknown)}"] if unknown else []
    faults += [f"none given for {', '.join(missing)}"] if missing else []
    if faults:
        raise ConfigError(
            f"Expected the arguments {', '.join(package.inputs)} of the pipeline {package.name}, found {' and '.join(faults)}. Sections come "
            "by --params, all others by --set NAME=VALUE."
        )
