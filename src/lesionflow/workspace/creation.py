"""Make a workspace: a git and DVC project with `dvc.yaml`, `params.yaml` and `change_plan.yaml`."""

import shutil
import subprocess
from pathlib import Path

from lesionflow.config import load_params
from lesionflow.errors import ConfigError, LesionFlowError
from lesionflow.machine.extras import require
from lesionflow.workspace.change_plan_file import take_change_plan
from lesionflow.workspace.layout import STAGES, dvc_yaml
from lesionflow.workspace.params_file import PARAMS, take_params
from lesionflow.workspace.versioning.dvc_program import dvc_command

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
/.mlflow.db*
/mlartifacts/
/.params.sha256
/phantoms/
/unseen/
/service/
/dvc_plots/
*.log
.ledger.lock
.ledger.seen
.*.hashes
.partial-*
.old-*
"""


def init_workspace(folder: Path, params: Path) -> bool:
    """Make a folder a git and DVC workspace; what is there already stays.

    Args:
        folder: Where.
        params: The params file to copy where there is none.

    Returns:
        Whether it was none before.

    Raises:
        ConfigError: When git is missing or the params are wrong.
    """
    load_params(params)
    require("dvc")
    is_new = not (folder / STAGES).exists()
    if shutil.which("git") is None:
        raise ConfigError("Expected git on this machine, found none. Install it (Debian: apt-get install git).")
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("data", "reports", "models"):
        (folder / part).mkdir(exist_ok=True)
    if not (folder / PARAMS).exists():
        take_params(folder, params)
        take_change_plan(folder, params)
    (folder / STAGES).write_text(dvc_yaml(), encoding="utf-8")
    _ignore(folder / ".gitignore")
    if not (folder / ".git").exists():
        _call(["git", "init", "-q"], folder)
    if not (folder / ".dvc").exists():
        _call(dvc_command("init", "-q"), folder)
        _call(dvc_command("config", "core.analytics", "false"), folder)
        # DVC's own .gitignore entries would be written into data/ and reports/; ours cover them.
        _call(dvc_command("config", "core.autostage", "false"), folder)
        # DVC takes a path as the shell does, and keeps it relative to .dvc: the workspace and its store move together.
        store = f"../{folder.resolve().name}-store"
        _call(dvc_command("remote", "add", "-q", "-d", "local", store), folder)
    return is_new


def install_hooks(folder: Path) -> None:
    """Let git's hooks call DVC: checkout brings data along, push sends it, commit says what is not recorded.

    Raises:
        LesionFlowError: When there are other hooks already, or DVC fails.
    """
    if not (folder / ".git/hooks/post-checkout").exists():
        _call(dvc_command("install"), folder)


def _ignore(path: Path) -> None:
    """Keep studies, and the manifest that names their files, out of git; what a user wrote there stays."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    missing = [line for line in IGNORED.splitlines() if line not in text.splitlines()]
    if missing:
        path.write_text(
            text + ("" if not text or text.endswith("\n") else "\n") + "\n".join(missing) + "\n", encoding="utf-8"
        )


def _call(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own command, no shell
    if result.returncode:
        raise LesionFlowError(f"`{' '.join(command[-4:])}` failed in {folder}: {result.stderr.strip()[-400:]}")
