"""`lesionflow evaluate --masks DIR`: what another method found, scored on the locked test set."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionflow.cli.chosen_store import add_workdir, settings_of
from lesionflow.cli.parser import wording_of
from lesionflow.config import EvaluateConfig, load_params, load_section
from lesionflow.config.change_plan import read_change_plan
from lesionflow.errors import ArtifactError, ServiceError
from lesionflow.workspace.layout import PATHS, require_workspace

if TYPE_CHECKING:
    from lesionflow.io.stores.evaluations import StoredEvaluation

OUTPUT = "reports/masks"
AGAINST = "champion"


def add_options(evaluate: Any) -> None:
    """Let `evaluate` take a folder of masks in place of a bundle."""
    words = (
        "score masks of another method (NIfTI, NRRD, MetaImage, DICOM SEG, called by the case id) on the locked test set, in place of "
        "a bundle; of all other options only those below are then needed"
    )
    evaluate.add_argument("--masks", type=Path, metavar="DIR", help=words)
    evaluate.add_argument(
        "--method", metavar="NAME", help="with --masks: what the method is called (default: the folder's name)"
    )
    words = "with --masks: an evaluated model to compare with (default champion, where there is one)"
    evaluate.add_argument("--against", metavar="RUN", help=words)
    words = "with --masks: a case without a mask is refused by name (default), or one in which nothing was found"
    evaluate.add_argument("--missing", choices=("refuse", "empty"), default="refuse", help=words)
    words = "with --masks: masks of which more than half equal the reference voxel by voxel are refused (default), or scored all the same"
    evaluate.add_argument("--copies", choices=("refuse", "allow"), default="refuse", help=words)
    words = f"with --masks: where the evaluation is written (default {OUTPUT}/NAME in the workspace)"
    evaluate.add_argument("--out", type=Path, metavar="DIR", help=words)
    add_workdir(evaluate)


def evaluate_folder(parsed: argparse.Namespace) -> int:
    """Run it and say the headline."""
    from lesionflow.evaluation.results import Sampling
    from lesionflow.steps.exchange.mask_evaluation import evaluate_masks

    root: Path = parsed.workdir or Path()
    require_workspace(root)
    settings = settings_of(parsed)
    params = load_params(root / "params.yaml")
    config = load_section(EvaluateConfig, params["evaluate"], "evaluate")
    name = parsed.method or parsed.masks.resolve().name
    output: Path = parsed.out or root / OUTPUT / name
    rival = _rival(parsed.against, str(params["register"]["model_name"]), settings.tracking_uri)
    found = evaluate_masks(
        parsed.masks,
        root / PATHS["cases"],
        root / PATHS["splits"],
        output,
        settings.tracking_uri,
        name=name,
        rival=rival,
        sampling=Sampling(config.n_bootstrap, config.confidence_level, config.seed),
        n_worst_cases=config.n_worst_cases,
        missing=parsed.missing,
        copies=parsed.copies,
    )
    if found.missing:
        sys.stdout.write(f"{len(found.missing)} cases without a mask count as empty: {', '.join(found.missing)}\n")
    for sentence in found.copies.sentences():
        sys.stdout.write(f"WARNING: {sentence}\n")
    for target, result in found.results.items():
        dice = result.estimates["dice"]
        sys.stdout.write(f"{target}: Dice {dice.mean:.3f} [{dice.low:.3f}, {dice.high:.3f}], {dice.n} patients\n")
    for one in (d for d in found.differences if d.metric == "dice"):
        rivals = rival if isinstance(rival, str) else rival.name
        sys.stdout.write(f"{one.target}: Dice of {name} against {rivals}: {one.sentence(config.confidence_level)}\n")
    sys.stdout.write(f"{found.note}\n" if found.note else "")
    last = f"{output}: report.html, cases.csv; `lesionflow compare RUN {output}` compares with any model."
    sys.stdout.write(wording_of(parsed)(f"{last}\n{_look(root)}\n"))
    return 0


def _look(root: Path) -> str:
    """Say how many looks at the test set are spent, and of how many: this was one."""
    from lesionflow.steps.exchange.mask_evaluation import looks_at

    plan = root / PATHS["change_plan"]
    of = f" of {read_change_plan(plan).looks}" if plan.exists() else ""
    return (
        f"This was look {looks_at(root / PATHS['cases'], root / PATHS['splits'])}{of} at this test set: a model that is judged by it later has one less. "
        "The same masks again are the same look; a first champion begins the count anew."
    )


def _rival(wanted: str | None, model_name: str, tracking_uri: str) -> "StoredEvaluation | str":
    """Return the evaluation to compare with; where none was asked for and there is none, why."""
    from lesionflow.steps.compare import load_evaluation

    if wanted:
        return load_evaluation(wanted, tracking_uri)
    try:
        return load_evaluation(f"{model_name}/{AGAINST}", tracking_uri)
    except (ArtifactError, ServiceError):
        return "There is no champion to compare with; --against RUN names another model."
