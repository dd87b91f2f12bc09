"""Run the stages of a workspace that are not up to date, with progress."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lesionflow.steps import STEPS
from lesionflow.workspace.layout import store_uri
from lesionflow.workspace.stale_locks import drop_torn_lock_file, release_stale_locks

STAGE_STARTS = "Running stage '"
STAGE_SKIPPED = "Stage '"


def run_workspace(folder: Path, say: Callable[[str], None]) -> int:
    """Run `dvc repro` with its progress, stage by stage.

    Args:
        folder: The workspace.
        say: Takes each line that DVC and the steps print, with its end.

    Returns:
        DVC's exit code, or that of the step that failed.
    """
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    environment.setdefault("MLFLOW_TRACKING_URI", store_uri(folder))
    environment |= {"DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}
    release_stale_locks(folder)
    drop_torn_lock_file(folder)
    began, done = time.monotonic(), 0
    command = [sys.executable, "-m", "dvc", "repro"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command, no shell
        for line in process.stdout or ():
            if line.startswith((STAGE_STARTS, STAGE_SKIPPED)):
                done += 1
                say(f"[{done}/{len(STEPS)}, {time.monotonic() - began:.0f} s] {line}")
            elif line.strip():
                say(line)
    return process.returncode
