"""`lesionflow trace`: from a mask to the model, run, code and data that made it, and what of that chain is broken."""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionflow.cli.chosen_store import add_workdir, known_entries, settings_of
from lesionflow.cli.parser import wording_of
from lesionflow.config import Settings
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.registry.secrets import without_password

if TYPE_CHECKING:
    from lesionflow.prediction.passport import Passport
    from lesionflow.prediction.tracing import TraceFinding
    from lesionflow.registry.versions import RegisteredVersion

#: What of a passport is told on a line each.
TOLD = (
    "result_id", "model_name", "model_version", "bundle_digest", "run_id", "plan_sha256", "code_revision", "data_revision",
    "input_sha256", "lesionflow_version", "created_at",
)  # fmt: skip


def add_commands(commands: Any) -> None:
    """Add `trace`."""
    trace = commands.add_parser("trace", help="from a mask to the model, run, code and data that made it")
    words = "what `predict` or the service gave: DICOM SEG, RTSTRUCT, NIfTI, PNG, or a .json report"
    trace.add_argument("file", type=Path, help=words)
    add_workdir(trace)
    trace.set_defaults(run=_trace)


def _trace(parsed: argparse.Namespace) -> int:
    if not parsed.file.is_file():
        raise ConfigError(f"Expected a mask or its report at {parsed.file}, found no file there.")
    settings = settings_of(parsed)
    from lesionflow.prediction.tracing import trace_file, unsound

    found = trace_file(parsed.file)
    if found.passport is not None:
        _tell_passport(found.passport)
    # Told before the store is asked, which may be away.
    _tell(found.findings, wording_of(parsed))
    findings = found.findings
    if found.passport is not None:
        findings = (*findings, *_origin(found.passport, settings, parsed))
    if broken := unsound(findings):
        named = ", ".join(dict.fromkeys(finding.what for finding in broken))
        raise ArtifactError(f"Expected {parsed.file.name} whole, and known down to its data, found otherwise: {named}.")
    barred = ", but the model that made it is barred" if any(f.state.value == "BARRED" for f in findings) else ""
    sys.stdout.write(f"{parsed.file.name}: whole{barred}\n")
    return 0


def _origin(passport: "Passport", settings: Settings, parsed: argparse.Namespace) -> "tuple[TraceFinding, ...]":
    """Follow a passport to the model in the registry, to what became of that since, and to the data in git and DVC."""
    from lesionflow.prediction.traced_model import trace_model
    from lesionflow.workspace.data_version import find_data_version

    sys.stdout.write(f"in {without_password(settings.tracking_uri)}:\n")
    model = trace_model(passport, settings.tracking_uri)
    _tell(model.findings, wording_of(parsed))
    barred = () if model.version is None else _bar(model.version, settings, parsed)
    _tell(barred, wording_of(parsed))
    if model.card is None:
        return (*model.findings, *barred)
    learned = {*model.card.trained_cases, *model.card.validation_cases}
    data = find_data_version(parsed.workdir or Path(), learned, model.card.data_revision)
    _tell((data,), wording_of(parsed))
    return (*model.findings, *barred, data)


def _bar(version: "RegisteredVersion", settings: Settings, parsed: argparse.Namespace) -> "tuple[TraceFinding, ...]":
    """Say whether a version may not become champion any longer: by the ledger and what is shared, else by its tag in MLflow."""
    from lesionflow.prediction.tracing import State, TraceFinding
    from lesionflow.registry.pages.version_record import BARRED
    from lesionflow.registry.succession import bars, describe_bar

    entries = known_entries(parsed, version.model_name, settings)
    bar = None if entries is None else bars(entries, version.model_name).get(version.version)
    if bar is not None:
        return (TraceFinding("bar", State.BARRED, describe_bar(version.version, bar)),)
    tag = version.tags.get(BARRED, "") if entries is None else ""
    return (TraceFinding("bar", State.BARRED, f"version {version.version}, barred {tag}"),) if tag else ()


def _tell_passport(passport: "Passport") -> None:
    told = {name: getattr(passport, name) for name in TOLD}
    told["mask_sha256"] = passport.mask.sha256 if passport.mask else ""
    for name, value in told.items():
        if value:
            sys.stdout.write(f"{name:>20}  {value}\n")


def _tell(findings: "Iterable[TraceFinding]", words: "Callable[[str], str]") -> None:
    for finding in findings:
        sys.stdout.write(f"{finding.state.value:>20}  {finding.what}: {words(finding.detail)}\n")
