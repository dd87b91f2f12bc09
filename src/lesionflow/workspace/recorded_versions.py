"""The recorded versions of a workspace's data: which case table `dvc.lock` names, now or at a git revision."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.cases import TABLE, read_table
from lesionflow.workspace.layout import PATHS
from lesionflow.workspace.versioning.dvc_places import DEFAULT_CACHE, OBJECTS, dvc_places
from lesionflow.workspace.versioning.dvc_program import dvc_command, said_by_dvc

LOCK = "dvc.lock"


def recorded_table(workspace: Path, revision: str | None = None) -> pd.DataFrame | None:
    """Return the case table that was recorded.

    Args:
        workspace: A workspace.
        revision: A git revision; without, what the last `lesionflow run` recorded.

    Returns:
        The table, or None when nothing was recorded yet.

    Raises:
        ConfigError: When the revision is none.
        ArtifactError: When the recorded table is neither in DVC's cache nor in its remote.
    """
    digest = _recorded_md5(_lock_text(workspace, revision))
    if digest is None:
        return None
    found = cached_file(workspace, digest, TABLE)
    if found is not None:
        return read_table(found.parent, found.name)
    return _from_remote(workspace, revision)


def _lock_text(workspace: Path, revision: str | None) -> str:
    if revision is None:
        lock = workspace / LOCK
        return lock.read_text(encoding="utf-8") if lock.exists() else ""
    command = [git_program(), "-C", str(workspace), "show", f"{revision}:./{LOCK}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command, no shell
    if found.returncode:
        raise ConfigError(
            f"Expected a git revision with a {LOCK}, found {revision!r}: {found.stderr.strip()!s:.200}. Commit {LOCK} after "
            "`lesionflow run`, and name that commit, tag or branch."
        )
    return found.stdout


def git_program() -> str:
    """Return git's path.

    Raises:
        ConfigError: When there is none.
    """
    git = shutil.which("git")
    if git is None:
        raise ConfigError("Expected git on this machine, found none. Install it (Debian: apt-get install git).")
    return git


def _recorded_md5(text: str) -> str | None:
    stages: dict[str, Any] = (yaml.safe_load(text) or {}).get("stages") or {}
    outs = (stages.get("ingest") or {}).get("outs") or []
    return next((str(out["md5"]) for out in outs if out.get("path") == PATHS["cases"]), None)


def cached_file(workspace: Path, digest: str, name: str) -> Path | None:
    """Return where a file of a recorded folder lies in DVC's cache; None where it does not.

    Args:
        workspace: A workspace.
        digest: DVC's of the folder.
        name: The file, relative to the folder.
    """
    # DVC takes a second or two to answer, so it is asked only where the usual place does not have it.
    return _file_below(workspace / DEFAULT_CACHE, digest, name) or _file_below(
        dvc_places(workspace).cache, digest, name
    )


def _file_below(cache: Path, digest: str, name: str) -> Path | None:
    objects = cache / OBJECTS
    try:
        entries = json.loads((objects / digest[:2] / digest[2:]).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    md5 = next((str(entry["md5"]) for entry in entries if entry["relpath"] == name), None)
    path = objects / md5[:2] / md5[2:] if md5 else None
    return path if path is not None and path.exists() else None


def _from_remote(workspace: Path, revision: str | None) -> pd.DataFrame:
    with tempfile.TemporaryDirectory(prefix="lesionflow-recorded-") as scratch:
        command = dvc_command("get", "-q", ".", f"{PATHS['cases']}/{TABLE}", "-o", f"{scratch}/{TABLE}")
        command += ["--rev", revision] if revision else []
        done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)  # noqa: S603 - our own command, no shell
        if done.returncode:
            raise ArtifactError(
                f"Expected the recorded {PATHS['cases']} in DVC's cache or remote, found: {said_by_dvc(done.stderr)}. Fetch "
                "it with `dvc fetch --all-commits`."
            )
        return read_table(Path(scratch))
