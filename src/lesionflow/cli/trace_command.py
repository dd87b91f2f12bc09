"""`lesionflow trace`: from a mask to the model, run, data and code that made it."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lesionflow.cli.stores import add_workdir, settings_of
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.registry.secrets import without_password

if TYPE_CHECKING:
    from lesionflow.registry.versions import RegisteredVersion


class _Origin(NamedTuple):
    """What is known of a mask: all that stands there, the bundle's digest or its beginning, the model's name if it is told."""

    told: dict[str, str]
    digest: str
    name: str


def add_commands(commands: Any) -> None:
    """Add `trace`."""
    trace = commands.add_parser("trace", help="from a mask to the model, run, data and code that made it")
    words = "a mask that `predict` or the service wrote (DICOM SEG or NIfTI), or a .json report"
    trace.add_argument("mask", type=Path, help=words)
    add_workdir(trace)
    trace.set_defaults(run=_trace)


def _trace(parsed: argparse.Namespace) -> int:
    if not parsed.mask.is_file():
        raise ConfigError(f"Expected a mask or its report at {parsed.mask}, found no file there.")
    origin = _origin(parsed.mask)
    settings = settings_of(parsed)
    from lesionflow.registry.versions import list_models, list_versions

    names = [origin.name] if origin.name else list_models(settings.tracking_uri)
    versions = [version for name in names for version in list_versions(name, settings.tracking_uri)]
    found = next((v for v in versions if v.bundle_digest.startswith(origin.digest)), None)
    told = {**origin.told, **{key: value for key, value in _lineage(found).items() if key not in origin.told}}
    for key, value in told.items():
        sys.stdout.write(f"{key:>20}  {value}\n")
    if found is None:
        sys.stdout.write(
            f"In {without_password(settings.tracking_uri)}: no version of {origin.name or 'any model'} has this bundle.\n"
        )
    else:
        aliases = ", ".join(found.aliases) or "none"
        sys.stdout.write(
            f"In {without_password(settings.tracking_uri)}: {found.model_name} version {found.version}, aliases {aliases}.\n"
        )
    return 0


def _origin(mask: Path) -> _Origin:
    """Return where a mask comes from: by the report, itself or beside the mask; else by the mask's own header."""
    report = mask if mask.suffix == ".json" else mask.with_name(f"{mask.name}.json")
    if report.exists():
        try:
            passport = json.loads(report.read_text(encoding="utf-8"))["passport"]
            return _Origin(dict(passport), str(passport["bundle_digest"]), str(passport["model_name"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ArtifactError(
                f"Expected a report with a passport in {report.name}, found none ({type(error).__name__}: {error})."
            ) from error
    from lesionflow.prediction.origin import read_origin

    found = read_origin(mask)
    if found is None:
        raise ArtifactError(
            f"Expected the report {report.name} with a passport beside the mask, or a DICOM SEG or NIfTI that lesionflow "
            "wrote, found neither. A picture says nothing of its origin: keep the report of its answer."
        )
    told = {name: value for name, value in found._asdict().items() if value}
    return _Origin(told, found.bundle_digest, found.model_name)


def _lineage(version: "RegisteredVersion | None") -> dict[str, str]:
    if version is None:
        return {}
    names = ("code_revision", "data_revision", "plan_sha256", "lesionflow_version")
    return {"run_id": version.run_id, **{name: version.tags[name] for name in names if name in version.tags}}
