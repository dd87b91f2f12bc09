"""What a killed `dvc repro` leaves behind, cleared away before the next: DVC itself asks its user to do that by hand."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import psutil
import yaml

RWLOCK = Path(".dvc") / "tmp" / "rwlock"
LOCK_FILE = Path("dvc.lock")
#: Of a file or a folder; DVC runs a stage again for a shorter one.
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")

logger = logging.getLogger(__name__)


def release_stale_locks(folder: Path) -> None:
    """Drop the locks of DVC processes that live no more; those of living ones stay.

    Args:
        folder: The workspace.
    """
    from lesionflow.io.files import write_text

    path = folder / RWLOCK
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except ValueError:
        # Killed while it wrote the locks: DVC could not read them either.
        path.unlink()
        return
    readers = {place: [one for one in holders if _lives(one)] for place, holders in held.get("read", {}).items()}
    writers = {place: one for place, one in held.get("write", {}).items() if _lives(one)}
    kept = {"read": {place: holders for place, holders in readers.items() if holders}, "write": writers}
    write_text(path, json.dumps({kind: entries for kind, entries in kept.items() if entries}))


def drop_torn_lock_file(folder: Path) -> None:
    """Remove a `dvc.lock` that a kill left half written, since DVC refuses all else: it writes this file in place.

    What stages have made lies in DVC's run cache, so the next run finds it there and makes nothing again.

    Args:
        folder: The workspace.
    """
    path = folder / LOCK_FILE
    if path.exists() and not _is_whole(path):
        logger.warning("dvc.lock was half written by a run that was killed: it is made again from DVC's run cache")
        path.unlink()


def drop_torn_dvc_file(path: Path) -> None:
    """Remove a `.dvc` file that a kill left half written: `dvc add` refuses it, and writes it again where there is none."""
    if path.exists() and not _is_whole(path):
        path.unlink()


def _is_whole(path: Path) -> bool:
    """Tell whether a `dvc.lock` or `.dvc` file names all that it must: each file with its hash."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.name != LOCK_FILE.name:
            return all(MD5.fullmatch(out["md5"]) and out["path"] == path.stem for out in content["outs"])
        stages = content["stages"].values()
        files = [entry for stage in stages for entry in (*stage.get("deps", ()), *stage.get("outs", ()))]
        return all(stage["cmd"] for stage in stages) and all(MD5.fullmatch(entry["md5"]) for entry in files)
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, AttributeError):
        return False


def _lives(holder: dict[str, Any]) -> bool:
    # A container restarted gives its numbers out again: the process must also be a DVC.
    try:
        process = psutil.Process(int(holder["pid"]))
        return process.status() != psutil.STATUS_ZOMBIE and any("dvc" in word for word in process.cmdline())
    except psutil.Error:
        return False
