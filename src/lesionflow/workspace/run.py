"""Run the stages of a workspace that are not up to date, with progress."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lesionflow.steps import STEPS
from lesionflow.workspace.layout import store_uri
from lesionflow.workspace.stale_locks import drop_torn_lock_file, release_stale_locks
from lesionflow.workspace.unregistered import registration_of
from lesionflow.workspace.versioning.dvc_program import dvc_command

STAGE_STARTS = "Running stage '"
STAGE_SKIPPED = "Stage '"
#: Who runs all stages says the decision at the end; this lets the step `promote` leave it out.
WITHIN_RUN = "LESIONFLOW_WITHIN_RUN"


def run_workspace(
    folder: Path, say: Callable[[str], None], *, until: Sequence[str] = (), extra: Mapping[str, str] | None = None
) -> int:
    """Run `dvc repro` with its progress, stage by stage.

    Args:
        folder: The workspace.
        say: Takes each line that DVC and the steps print, with its end.
        until: The stages that are wanted, with what they need; all without.
        extra: Variables that the steps see, beside the environment.

    Returns:
        DVC's exit code, or that of the step that failed.
    """
    environment = stage_environment(folder) | dict(extra or {})
    release_stale_locks(folder)
    drop_torn_lock_file(folder)
    shown = _Progress(say)
    code = shown.run(dvc_command("repro", *until), folder, environment)
    if code == 0 and not until and registration_of(folder).experiment:
        # `dvc exp apply` brought results that DVC takes for done, of which nothing is registered yet.
        say("An experiment's model lies here: it is registered and judged now.\n")
        code = shown.run(dvc_command("repro", "--force", "--single-item", "register"), folder, environment)
        code = code or shown.run(dvc_command("repro"), folder, environment)
    return code


class _Progress:
    """Says what DVC and the steps print, with a count and the time before each stage."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._began, self._done = say, time.monotonic(), 0

    def run(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> int:
        """Run a command to its end, and return its exit code."""
        with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command, no shell
            for line in process.stdout or ():
                if line.startswith((STAGE_STARTS, STAGE_SKIPPED)):
                    self._done += 1
                    self._say(f"[{self._done}/{len(STEPS)}, {time.monotonic() - self._began:.0f} s] {line}")
                elif line.strip():
                    self._say(line)
        return process.returncode


def stage_environment(folder: Path) -> dict[str, str]:
    """Return the environment that DVC and the steps of a workspace see."""
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    environment.setdefault("MLFLOW_TRACKING_URI", store_uri(folder))
    return environment | {"DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1", WITHIN_RUN: "1"}
