"""`lesionflow trace`: from a mask to the model, run, code and data that made it, and what of that chain is broken."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionflow.cli.chosen_store import add_workdir, settings_of
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.registry.secrets import without_password

if TYPE_CHECKING:
    from lesionflow.prediction.passport import Passport
    from lesionflow.prediction.tracing import TraceFinding

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
    _tell(found.findings)
    findings = found.findings
    if found.passport is not None:
        findings = (*findings, *_origin(found.passport, settings.tracking_uri, parsed.workdir or Path()))
    if broken := unsound(findings):
        named = ", ".join(dict.fromkeys(finding.what for finding in broken))
        raise ArtifactError(f"Expected {parsed.file.name} whole, and known down to its data, found otherwise: {named}.")
    sys.stdout.write(f"{parsed.file.name}: whole\n")
    return 0


def _origin(passport: "Passport", tracking_uri: str, workspace: Path) -> "tuple[TraceFinding, ...]":
    """Follow a passport to the model in the registry, and to the data in git and DVC."""
    from lesionflow.prediction.traced_model import trace_model
    from lesionflow.workspace.data_version import find_data_version

    sys.stdout.write(f"in {without_password(tracking_uri)}:\n")
    model = trace_model(passport, tracking_uri)
    _tell(model.findings)
    if model.card is None:
        return model.findings
    learned = {*model.card.trained_cases, *model.card.validation_cases}
    data = find_data_version(workspace, learned, model.card.data_revision)
    _tell((data,))
    return (*model.findings, data)


def _tell_passport(passport: "Passport") -> None:
    told = {name: getattr(passport, name) for name in TOLD}
    told["mask_sha256"] = passport.mask.sha256 if passport.mask else ""
    for name, value in told.items():
        if value:
            sys.stdout.write(f"{name:>20}  {value}\n")


def _tell(findings: "Iterable[TraceFinding]") -> None:
    for finding in findings:
        sys.stdout.write(f"{finding.state.value:>20}  {finding.what}: {finding.detail}\n")
