"""Workspaces: make one, run it, fill it with phantoms."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lesionflow.cli.data_commands import record_new_studies
from lesionflow.cli.presets import find_params
from lesionflow.cli.stale_locks import drop_torn_lock_file, release_stale_locks
from lesionflow.config import Settings, load_params
from lesionflow.errors import ConfigError, LesionFlowError
from lesionflow.steps import STEPS
from lesionflow.steps.workspace import PATHS, dvc_yaml

IGNORED = """\
/data/raw
/data/raw.sha256
/data/cases
/data/splits.json
/data/plan.json
/data/preprocessed
/models/
/reports/
/mlflow.db*
/mlartifacts/
.partial-*
.old-*
"""
STAGE_STARTS = "Running stage '"
STAGE_SKIPPED = "Stage '"


def add_commands(commands: Any) -> None:
    """Add `init`, `run` and `phantom`."""
    init = commands.add_parser("init", help="make a workspace: git, DVC, dvc.yaml, params.yaml")
    init.add_argument("folder", type=Path)
    init.add_argument("--preset", required=True, help="a preset's name, or a params file")
    init.set_defaults(run=lambda parsed: init_workspace(parsed.folder, find_params(parsed.preset)))
    run = commands.add_parser("run", help="run all steps that are not up to date (dvc repro)")
    run.add_argument("--workdir", type=Path, default=Path(), help="the workspace, made when it is missing")
    run.add_argument("--params", help="a preset's name, or a params file: becomes the workspace's params.yaml")
    run.add_argument("--data", type=Path, help="a folder of studies: linked as data/raw")
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


def init_workspace(folder: Path, params: Path) -> int:
    """Make a folder a git and DVC workspace; what is there already stays.

    Args:
        folder: Where.
        params: The params file to copy.

    Raises:
        ConfigError: When git is missing or the params are wrong.
    """
    load_params(params)
    if shutil.which("git") is None:
        raise ConfigError("Expected git on this machine, found none. Install it (Debian: apt-get install git).")
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("data", "reports", "models"):
        (folder / part).mkdir(exist_ok=True)
    if not (folder / "params.yaml").exists():
        shutil.copyfile(params, folder / "params.yaml")
    (folder / "dvc.yaml").write_text(dvc_yaml(), encoding="utf-8")
    _ignore(folder / ".gitignore")
    if not (folder / ".git").exists():
        _call(["git", "init", "-q"], folder)
    if not (folder / ".dvc").exists():
        _call([sys.executable, "-m", "dvc", "init", "-q"], folder)
        _call([sys.executable, "-m", "dvc", "config", "core.analytics", "false"], folder)
        # DVC's own .gitignore entries would be written into data/ and reports/; ours cover them.
        _call([sys.executable, "-m", "dvc", "config", "core.autostage", "false"], folder)
        store = os.path.relpath(folder.resolve().parent / f"{folder.resolve().name}-store", folder.resolve() / ".dvc")
        _call([sys.executable, "-m", "dvc", "remote", "add", "-q", "-d", "local", store], folder)
    return 0


def _ignore(path: Path) -> None:
    """Keep studies, and the manifest that names their files, out of git; what a user wrote there stays."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    missing = [line for line in IGNORED.splitlines() if line not in text.splitlines()]
    if missing:
        path.write_text(
            text + ("" if not text or text.endswith("\n") else "\n") + "\n".join(missing) + "\n", encoding="utf-8"
        )


def run_workspace(folder: Path) -> int:
    """Run `dvc repro` with its progress, stage by stage.

    Returns:
        DVC's exit code, or that of the step that failed.
    """
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    environment.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{(folder / 'mlflow.db').resolve()}")
    environment |= {"DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}
    release_stale_locks(folder)
    drop_torn_lock_file(folder)
    began, done = time.monotonic(), 0
    command = [sys.executable, "-m", "dvc", "repro"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command, no shell
        for line in process.stdout or ():
            if line.startswith((STAGE_STARTS, STAGE_SKIPPED)):
                done += 1
                sys.stdout.write(f"[{done}/{len(STEPS)}, {time.monotonic() - began:.0f} s] {line}")
            elif line.strip():
                sys.stdout.write(line)
            sys.stdout.flush()
    if process.returncode:
        sys.stderr.write(
            "lesionflow: a step failed; its message stands above. Mend it and run again: it goes on there.\n"
        )
    return process.returncode


def link_raw(folder: Path, data: Path) -> None:
    """Make `data/raw` of a workspace a link to the user's folder.

    Raises:
        ConfigError: When the folder does not exist, or `data/raw` is a real folder already.
    """
    if not data.is_dir():
        raise ConfigError(f"Expected a folder of studies at {data}, found none. Name one with --data.")
    link = folder / PATHS["raw"]
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        raise ConfigError(
            f"Expected {link} to be free for a link to {data}, found a folder. Move your studies there, or it away."
        )
    link.symlink_to(data.resolve(), target_is_directory=True)


def _run(parsed: argparse.Namespace) -> int:
    folder: Path = parsed.workdir
    params = find_params(parsed.params) if parsed.params else folder / "params.yaml"
    init_workspace(folder, params)
    if parsed.params and params.read_bytes() != (folder / "params.yaml").read_bytes():
        shutil.copyfile(params, folder / "params.yaml")
    load_params(folder / "params.yaml")
    if parsed.data is not None:
        link_raw(folder, parsed.data)
    if not (folder / PATHS["raw"]).exists():
        raise ConfigError(
            f"Expected studies in {folder / PATHS['raw']}, found none. Put them there, or give --data DIR."
        )
    record_new_studies(folder, relinked=parsed.data is not None)
    return run_workspace(folder)


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


def _call(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own command, no shell
    if result.returncode:
        raise LesionFlowError(f"`{' '.join(command[-4:])}` failed in {folder}: {result.stderr.strip()[-400:]}")
