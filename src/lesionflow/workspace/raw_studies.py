"""The studies of a workspace: which folder holds them, what of it is recorded, and that it is still as recorded."""

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from lesionflow.config import Settings
from lesionflow.errors import ArtifactError, ConfigError, LesionFlowError
from lesionflow.io.stores import raw_manifest
from lesionflow.workspace.layout import PATHS
from lesionflow.workspace.stale_locks import drop_torn_dvc_file
from lesionflow.workspace.versioning.dvc_program import dvc_command, said_by_dvc

#: Files named on a line; the others are counted.
MAX_NAMED = 10
#: DVC trusts a file's time and size, so it puts back only what is gone.
RESTORE = (
    "If somebody meant that, record it with `lesionflow data add`; if not, remove these files and "
    "`dvc checkout data/raw.dvc` puts back what was recorded."
)


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


def record_new_studies(workspace: Path, *, relinked: bool, say: Callable[[str], None]) -> None:
    """Record what lies in `data/raw` before a run; refuse what changed since it was recorded.

    Args:
        workspace: The workspace.
        relinked: The user has just named the folder: what it holds is what is meant.
        say: Takes a sentence for the user.

    Raises:
        ConfigError: When there are no studies yet.
        ArtifactError: When recorded files are missing or hold other bytes.
    """
    require_studies(workspace)
    raw, settings = workspace / PATHS["raw"], Settings()
    path = raw_manifest.manifest_path(raw)
    is_new = not path.exists()
    state = raw_manifest.compare(raw, workers=settings.workers, trust_times=True)
    if not is_new and not relinked:
        require_whole(state)
    if is_new or state.added or not state.is_whole:
        raw_manifest.record(raw, workers=settings.workers)
        if not is_new:
            say(f"data/raw: {len(state.added)} files are new since it was recorded")
    track_studies(workspace)


def require_studies(workspace: Path) -> None:
    """Refuse a workspace to which no studies have come yet.

    Raises:
        ConfigError: It says how they come there.
    """
    raw = workspace / PATHS["raw"]
    if not raw.exists() and not raw_manifest.manifest_path(raw).exists():
        raise ConfigError(
            f"Expected studies in {raw}, found none. Add them by `lesionflow data add STUDIES`, link them by `lesionflow run --data STUDIES`, or "
            "`dvc pull` them where this is a clone."
        )


def require_whole(state: raw_manifest.FolderState) -> None:
    """Refuse studies that are not as they were recorded.

    Raises:
        ArtifactError: It names the files.
    """
    if state.is_whole:
        return
    said = [
        f"{len(names)} {what}: {name_some(f'data/{name}' for name in names)}"
        for what, names in (("with other bytes", state.changed), ("missing", state.missing))
        if names
    ]
    raise ArtifactError(f"Expected the studies as they were recorded, found files {'; '.join(said)}. {RESTORE}")


def track_studies(workspace: Path, *, again: bool = False) -> None:
    """Put the studies and their manifest under DVC; a link is left to whom it points to."""
    raw = workspace / PATHS["raw"]
    tracked = [dvc_file(path) for path in (raw, raw.with_name(f"{raw.name}.sha256"))]
    for path in tracked:
        drop_torn_dvc_file(path)
    if raw.is_symlink() or not (workspace / ".dvc").exists() or (all(p.exists() for p in tracked) and not again):
        return
    command = dvc_command("add", "-q", PATHS["raw"], f"{PATHS['raw']}.sha256")
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)  # noqa: S603 - our own command, no shell
    if done.returncode:
        raise LesionFlowError(f"`dvc add {PATHS['raw']}` failed in {workspace}: {said_by_dvc(done.stderr)}")


def dvc_file(raw: Path) -> Path:
    """Return the file by which DVC tracks a folder or file."""
    return raw.with_name(f"{raw.name}.dvc")


def name_some(names: Iterable[str]) -> str:
    """Name the first few, and count the others."""
    listed = list(names)
    more = f" and {len(listed) - MAX_NAMED} more" if len(listed) > MAX_NAMED else ""
    return ", ".join(listed[:MAX_NAMED]) + more
