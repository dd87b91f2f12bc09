"""What the service needs, each looked at now: model, golden cases, processes, database, results, disk."""

import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from lesionflow.jobs.queue import JobQueue
from lesionflow.machine.error_words import kind_in_words
from lesionflow.serving.engine import Engine
from lesionflow.serving.settings import BYTES_PER_MB

#: What has not answered by then does not work.
TIMEOUT_S = 5.0
PROBE = b"lesionflow"


class Readiness(NamedTuple):
    """One thing that the service needs.

    Args:
        ok: Whether it is there.
        detail: What was found; no path and no address, as anybody may ask.
    """

    ok: bool
    detail: str


def check_all(engine: Engine, queue: JobQueue, folders: Mapping[str, Path], min_free_mb: int) -> dict[str, Readiness]:
    """Look at everything, all at once, and wait for none of it longer than `TIMEOUT_S`.

    Args:
        engine: What serves.
        queue: The database of jobs.
        folders: Where studies and results lie, by what they hold.
        min_free_mb: What must be free on their disks.

    Returns:
        Each check by its name.
    """
    asked: dict[str, Callable[[], Readiness]] = {
        "database": partial(_database, queue),
        **{f"{name}_writable": partial(_writable, folder) for name, folder in folders.items()},
        "disk": partial(_disk, list(folders.values()), min_free_mb),
    }
    found = {name: Readiness(*told) for name, told in engine.health().items()}
    # Not left by `with`, which would wait for a disk or a server that never answers.
    threads = ThreadPoolExecutor(max_workers=len(asked), thread_name_prefix="readiness")
    running = {name: threads.submit(ask) for name, ask in asked.items()}
    threads.shutdown(wait=False)
    wait_for(running.values(), timeout=TIMEOUT_S)
    for name, future in running.items():
        found[name] = _outcome(future)
    return found


def check_further(engines: Mapping[str, Engine]) -> dict[str, Readiness]:
    """Look at models beside the main one.

    Args:
        engines: By name.

    Returns:
        How each stands, by its name: the first thing that does not hold, or what was loaded.
    """
    found = {}
    for name, engine in engines.items():
        checks = [Readiness(*each) for each in engine.health().values()]
        found[name] = next((check for check in checks if not check.ok), checks[0])
    return found


def told(checks: Mapping[str, Readiness]) -> dict[str, Any]:
    """Return checks as plain values."""
    return {name: check._asdict() for name, check in checks.items()}


def _outcome(future: Any) -> Readiness:
    if not future.done():
        return Readiness(ok=False, detail=f"no answer within {TIMEOUT_S:g} s")
    error = future.exception()
    if error is None:
        check: Readiness = future.result()
        return check
    # Its own words may tell a path or an address.
    return Readiness(ok=False, detail=f"{kind_in_words(error)}; the service's log may say more")


def _database(queue: JobQueue) -> Readiness:
    return Readiness(ok=True, detail=f"{queue.n_open()} jobs have not ended")


def _writable(folder: Path) -> Readiness:
    probe = folder / f".probe-{uuid.uuid4().hex}"
    try:
        probe.write_bytes(PROBE)
        held = probe.read_bytes()
    finally:
        probe.unlink(missing_ok=True)
    return Readiness(held == PROBE, "written and read" if held == PROBE else "what was written reads otherwise")


def _disk(folders: Sequence[Path], min_free_mb: int) -> Readiness:
    free_mb = min(shutil.disk_usage(folder).free for folder in folders) // BYTES_PER_MB
    return Readiness(free_mb >= min_free_mb, f"{free_mb} MB free, {min_free_mb} MB wanted")
