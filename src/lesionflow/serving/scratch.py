"""The service's temporary folders: gone when it stops, and when it was killed, gone when the next one starts."""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: How every temporary folder of a service begins; then the number of its process, for those who look.
PREFIX = "lesionflow-service-"
NAME = re.compile(rf"{PREFIX}(\d+)-.*")
#: What this process has made and still uses: each is locked as long as it lives. Numbers of processes tell nothing, as in a container the next service has that of the last.
_HELD: dict[Path, int] = {}


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a folder that only this user can read; studies and results of killed services are removed first.

    Yields:
        The folder.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if NAME.fullmatch(folder.name):
            _remove_left(folder)
    folder = make_temporary()
    try:
        yield folder
    finally:
        remove_temporary(folder)


def make_temporary(what: str = "") -> Path:
    """Make a temporary folder that the next service removes where this one is killed.

    Args:
        what: What it holds, for those who look.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-{what}"))
        lock = os.open(folder, os.O_RDONLY)
        if _locked(lock, fcntl.LOCK_SH) and folder.exists():
            _HELD[folder] = lock
            return folder
        # A service that starts took it for one that was left.
        os.close(lock)


def remove_temporary(folder: Path) -> None:
    """Remove a folder of `make_temporary`."""
    shutil.rmtree(folder, ignore_errors=True)
    lock = _HELD.pop(folder, None)
    if lock is not None:
        os.close(lock)


def _remove_left(folder: Path) -> None:
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        if _locked(lock, fcntl.LOCK_EX):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _locked(lock: int, kind: int) -> bool:
    """Lock a folder as long as its descriptor is open, which no program that is started inherits; return False where another holds it."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
