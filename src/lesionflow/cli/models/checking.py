"""`models diff` and `verify`: what two versions differ in, and whether versions, aliases and ledger say the same."""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from lesionflow.cli.chosen_store import find_ledger, model_name, settings_of
from lesionflow.cli.parser import wording_of
from lesionflow.config import Settings
from lesionflow.errors import ArtifactError
from lesionflow.workspace.layout import PATHS

if TYPE_CHECKING:
    from lesionflow.registry.succession import VersionFinding

LONGEST_LINE = 400


def print_differences(parsed: argparse.Namespace) -> int:
    """Print what two versions differ in: data, params, plan, figures, card."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from lesionflow.registry.differences import diff_versions

    settings = settings_of(parsed)
    name = model_name(parsed.model_name, settings)
    one, other, differences = diff_versions(name, parsed.first, parsed.second, settings.tracking_uri)
    console = Console(width=LONGEST_LINE)
    if not differences:
        console.print(f"Versions {one} and {other} of {name} differ in nothing that is kept of them.")
        return 0
    table = Table("", "", f"version {one}", f"version {other}", box=None, pad_edge=False)
    for difference in differences:
        table.add_row(*(escape(part) for part in difference))
    console.print(table)
    return 0


def print_verification(parsed: argparse.Namespace) -> int:
    """Verify bytes, ledger and aliases, and print what held.

    Raises:
        ArtifactError: When something did not.
    """
    from lesionflow.registry.succession import verify_versions

    settings = settings_of(parsed)
    name = model_name(parsed.model_name, settings)
    ledger = find_ledger(parsed)
    with ExitStack() as kept:
        shared, ledger = _shared(parsed, name, ledger, settings, kept)
        findings = (*verify_versions(name, parsed.version, ledger, settings.tracking_uri), *shared)
    for finding in findings:
        sys.stdout.write(
            f"{'held    ' if finding.held else 'NOT HELD'}  {finding.what}: {wording_of(parsed)(finding.detail)}\n"
        )
    broken = [finding.what for finding in findings if not finding.held]
    if broken:
        sys.stdout.flush()
        raise ArtifactError(
            f"Expected versions, ledger and aliases of {name} to be as they were made, found {len(broken)} that are not: "
            f"{', '.join(broken)}. What to do stands beside each."
        )
    if parsed.golden:
        sys.stdout.write(f"{check_golden_of(name, parsed.version or 'champion', settings)}\n")
    return 0


def _shared(
    parsed: argparse.Namespace, name: str, ledger: Path | None, settings: Settings, kept: ExitStack
) -> "tuple[list[VersionFinding], Path | None]":
    """Ask what is shared; return what was found, and the ledger with what others noted where the two agree."""
    from lesionflow.registry.succession import VersionFinding
    from lesionflow.steps.shared_state import joined_ledger

    if ledger is None:
        return [], None
    folder = parsed.workdir or Path()
    splits, plan = folder / PATHS["splits"], folder / PATHS["change_plan"]
    try:
        joined, words = kept.enter_context(joined_ledger(splits, name, settings.tracking_uri, change_plan=plan))
    except ArtifactError as error:
        return [VersionFinding("shared state", held=False, detail=str(error))], ledger
    return ([VersionFinding("shared state", held=True, detail=words)] if words else []), joined


def check_golden_of(name: str, version: str, settings: Settings) -> str:
    """Ask a version's network its golden cases on this machine.

    Args:
        name: The registered model.
        version: A number or an alias.
        settings: The store, and the device that is asked.

    Returns:
        What was found, in a sentence.

    Raises:
        ArtifactError: When it answers otherwise than where it was made.
    """
    from lesionflow.prediction.served_model import load_model

    model = load_model(version, name, settings.tracking_uri)
    called = f"{name} version {model.version}"
    if not model.bundle.golden:
        return f"{called} carries no golden cases: it was made before there were any, or by another program."
    from lesionflow.inference import Segmenter
    from lesionflow.inference.golden import require_golden

    segmenter = Segmenter(model.bundle, device=settings.device)
    found = require_golden(segmenter, model.bundle, called)
    return (
        f"held      {called}: {found.n_cases} golden cases answered by {segmenter.backend} on {segmenter.device.type}, probabilities at most "
        f"{found.max_difference:.2g} from the recorded ones."
    )
