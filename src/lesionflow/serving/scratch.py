"""The service's temporary folder: gone when the service stops, and when it was killed, gone when the next one starts."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: How every temporary folder of a service begins; then the number of its process.
PREFIX = "lesionflow-service-"
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
        if match and not _is_running(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
