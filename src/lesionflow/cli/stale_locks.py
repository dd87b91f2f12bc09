"""What a killed `dvc repro` leaves behind, cleared away before the next: DVC itself asks its user to do that by hand."""

import json
from pathlib import Path
from typing import Any

import psutil

RWLOCK = Path(".dvc") / "tmp" / "rwlock"


def release_stale_locks(folder: Path) -> None:
    """Drop the locks of DVC processes that live no more; those of living ones stay.

    Args:
        folder: The workspace.
    """
    from lesionflow.io.storage import write_text

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


def _lives(holder: dict[str, Any]) -> bool:
    # A container restarted gives its numbers out again: the process must also be a DVC.
    try:
        process = psutil.Process(int(holder["pid"]))
        return process.status() != psutil.STATUS_ZOMBIE and any("dvc" in word for word in process.cmdline())
    except psutil.Error:
        return False
