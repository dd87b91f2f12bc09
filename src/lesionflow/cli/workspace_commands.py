"""Workspaces: make one, run it, fill it with phantoms."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lesionflow.cli.parser import wording_of
from lesionflow.config import Settings, load_params
from lesionflow.config.change_plan import CHANGE_PLAN
from lesionflow.config.presets import find_params
from lesionflow.errors import ConfigError
from lesionflow.workspace.change_plan_file import make_change_plan, read_fitting_plan, take_change_plan
from lesionflow.workspace.creation import init_workspace, install_hooks
from lesionflow.workspace.decision_text import decision_text
from lesionflow.workspace.layout import PATHS
from lesionflow.workspace.params_file import PARAMS, describe_params, require_params, take_params
from lesionflow.workspace.raw_studies import link_raw, record_new_studies, require_studies
from lesionflow.workspace.run import run_workspace, stage_environment
from lesionflow.workspace.unregistered import registered_at, unknown_here

FAILED = "lesionflow: a step failed; its message stands above. Mend it and run again: it goes on there.\n"


def add_commands(commands: Any) -> None:
    """Add `init`, `run` and `phantom`."""
    init = commands.add_parser("init", help="make a workspace: git, DVC, dvc.yaml, params.yaml")
    init.add_argument("folder", type=Path)
    init.add_argument("--preset", required=True, help="a preset's name, or a params file")
    init.add_argument(
        "--git-hooks",
        action="store_true",
        help="let git tell DVC (`dvc install`): checkout brings data along, push sends it",
    )
    init.set_defaults(run=_init)
    run = commands.add_parser("run", help="run all steps that are not up to date (dvc repro)")
    run.add_argument("--workdir", type=Path, default=Path(), help="the workspace, made when it is missing")
    run.add_argument("--params", help="a preset's name, or a params file: becomes the workspace's params.yaml")
    run.add_argument("--replace-params", action="store_true", help="let --params replace a params.yaml that was edited")
    run.add_argument("--data", type=Path, help="a folder of studies: linked as data/raw")
    run.add_argument(
        "--record",
        action="store_true",
        help="copy the studies of --data without identifiers and put them under DVC, instead of a link",
    )
    run.set_defaults(run=_run)
    phantom = commands.add_parser("phantom", help="write synthetic patients")
    phantom.add_argument("out", type=Path, help="folder to write into")
    phantom.add_argument("--cases", type=int, default=8, help="patients (default 8)")
    phantom.add_argument(
        "--seed", type=int, default=0, help="of everything drawn; the same seed gives the same patients"
    )
    phantom.add_argument("--first", type=int, default=0, help="number of the first patient: adds more to a folder")
    phantom.add_argument("--format", choices=("dicom", "nifti", "png"), default="dicom", help="default dicom")
    phantom.add_argument("--modality", choices=("ct", "petct", "mr4"), default="ct", help="default ct")
    phantom.set_defaults(run=_phantom)


def run_stages(folder: Path, words: Callable[[str], str] = str) -> int:
    """Run a workspace's stages, showing what they print, its commands worded; say what to do when one failed."""

    def tell(text: str) -> None:
        say(words(text))

    registered = registered_at(folder)
    code = run_workspace(folder, tell)
    if code:
        sys.stderr.write(FAILED)
    elif registered == registered_at(folder) and (
        told := unknown_here(folder, stage_environment(folder)["MLFLOW_TRACKING_URI"])
    ):
        tell(told)
    else:
        tell(decision_text(folder / PATHS["promotion"]))
    return code


def say(text: str) -> None:
    """Show text at once, whatever stdout is."""
    sys.stdout.write(text)
    sys.stdout.flush()


def _init(parsed: argparse.Namespace) -> int:
    folder, params = parsed.folder, find_params(parsed.preset)
    require_params(folder, params)
    if init_workspace(folder, params):
        say(
            f"{folder} is a workspace now: git, DVC, dvc.yaml, {PARAMS} ({describe_params(folder)}) and {CHANGE_PLAN}.\n"
        )
    elif told := make_change_plan(folder):
        say(f"{folder} is a workspace with these params already; {told}.\n")
    else:
        say(f"{folder} is a workspace with these params already; nothing was changed.\n")
    if parsed.git_hooks:
        install_hooks(folder)
        say("git's hooks call DVC from now on: checkout brings the data of a commit, push sends it to the remote.\n")
    say(
        f"Next: look at the section `ingest` of {folder / PARAMS} (which outline is which label) and at {folder / CHANGE_PLAN} (what a new model must "
        "show), then\n"
        f"  lesionflow data add STUDIES --workdir {folder}    (or `lesionflow run --data STUDIES --workdir {folder}`, which links them)\n"
        f"  lesionflow run --workdir {folder}\n"
    )
    return 0


def _run(parsed: argparse.Namespace) -> int:
    folder: Path = parsed.workdir
    params = find_params(parsed.params) if parsed.params else folder / PARAMS
    init_workspace(folder, params)
    if parsed.params and (told := take_params(folder, params, replace=parsed.replace_params)):
        say(f"{told}\n")
        if told := take_change_plan(folder, params):
            say(f"{told}\n")
    load_params(folder / PARAMS)
    read_fitting_plan(folder)
    if parsed.record:
        _record(folder, parsed.data)
    elif parsed.data is not None:
        link_raw(folder, parsed.data)
    require_studies(folder)
    record_new_studies(folder, relinked=parsed.data is not None, say=lambda sentence: say(sentence + "\n"))
    code = run_stages(folder, wording_of(parsed))
    raw = folder / PATHS["raw"]
    if code == 0 and raw.is_symlink():
        say(
            f"{raw} is a link: its studies are not under DVC, and `run` stops in a clone of this workspace for want of them. To record them too: "
            f"lesionflow run --workdir {folder} --data {raw.resolve()} --record\n"
        )
    return code


def _record(folder: Path, data: Path | None) -> None:
    from lesionflow.cli.cohort.data_commands import add_copies

    if data is None:
        raise ConfigError("Expected --data with --record: the folder of studies that is copied and recorded.")
    add_copies(folder, data)


def _phantom(parsed: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from lesionflow.phantoms import write_phantoms

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Drawing patients", total=parsed.cases)
        truths = write_phantoms(
            parsed.out,
            n_cases=parsed.cases,
            seed=parsed.seed,
            first=parsed.first,
            file_format=parsed.format,
            modality=parsed.modality,
            workers=Settings().workers,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    sys.stdout.write(f"{len(truths)} patients in {parsed.out / parsed.format}, their truth in {parsed.out / 'truth'}\n")
    return 0
