"""The service's temporary folder: gone when the service stops, and when it was killed, gone when the next one starts."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lesionflow.machine.process_age import may_have_made

#: How every temporary folder of a service begins; then the number of its process.
PREFIX = "lesionflow-service-"
#: What this process has made itself.
_OURS: set[Path] = set()
NAME = re.compile(rf"{PREFIX}(\d+)-.*")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a folder that only this user can read; studies and results of killed services are removed first.

    Yields:
        The folder.
    """
    root = Path(tempfile.gettempdir())
    for folder in root.glob(f"{PREFIX}*"):
        match = NAME.fullmatch(folder.name)
        if match and folder not in _OURS and not _may_be_of(int(match[1]), folder):
            shutil.rmtree(folder, ignore_errors=True)
    folder = make_temporary()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_temporary(what: str = "") -> Path:
    """Make a temporary folder that the next service removes where this one is killed.

    Args:
        what: What it holds, for those who look.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-{what}"))
    _OURS.add(folder)
    return folder


def _may_be_of(pid: int, folder: Path) -> bool:
    """Tell whether a folder is a running service's: in a container the next one has the number of the last one."""
    return pid != os.getpid() and may_have_made(pid, folder)
