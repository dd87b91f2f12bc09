"""What is new in a workspace since its stages ran last, asked of DVC before anything heavy is loaded."""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lesionflow.errors import LesionFlowError
from lesionflow.workspace.layout import PATHS
from lesionflow.workspace.raw_studies import record_new_studies
from lesionflow.workspace.run import stage_environment
from lesionflow.workspace.stale_locks import drop_torn_lock_file, release_stale_locks
from lesionflow.workspace.versioning.dvc_program import dvc_command, said_by_dvc

PARAMS = "params.yaml"


class News(NamedTuple):
    """What is new: whether the studies are, which sections of the params changed, which stages that makes run."""

    studies: bool
    params: tuple[str, ...]
    stages: tuple[str, ...]


def find_news(folder: Path, say: Callable[[str], None]) -> News:
    """Tell what is new; studies that were put into `data/raw` are recorded.

    Args:
        folder: The workspace.
        say: Takes a sentence for the user.

    Raises:
        ArtifactError: When recorded studies are missing or hold other bytes.
        LesionFlowError: When DVC can't tell.
    """
    record_new_studies(folder, relinked=False, say=say)
    release_stale_locks(folder)
    drop_torn_lock_file(folder)
    command = dvc_command("status", "--json")
    done = subprocess.run(  # noqa: S603 - our own command, no shell
        command, cwd=folder, env=stage_environment(folder), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LesionFlowError(
            f"Expected DVC to say what is new in {folder}, found: {said_by_dvc(done.stderr)}. Look at dvc.yaml and dvc.lock, or take them back from git."
        )
    return parse_status(json.loads(done.stdout or "{}"))


def parse_status(status: Mapping[str, Any]) -> News:
    """Read what `dvc status --json` says: by stage, which dependencies, outputs or command differ."""
    stages = {name: changes for name, changes in status.items() if not name.endswith(".dvc")}
    deps = {name: _changed(changes) for name, changes in stages.items()}
    studies = PATHS["raw"] in deps.get("ingest", {})
    params = tuple(name for name, changed in deps.items() if PARAMS in changed)
    return News(studies, params, tuple(stages))


def _changed(changes: Any) -> Mapping[str, Any]:
    entries = [entry.get("changed deps", {}) for entry in changes if isinstance(entry, dict)]
    return {path: what for entry in entries for path, what in entry.items()}
