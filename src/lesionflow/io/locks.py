"""One writer of a folder at a time: two would take each other's half-written files away."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lesionflow.errors import ServiceError

LOCK = ".lock"


@contextmanager
def only_writer(folder: Path, what: str) -> Iterator[None]:
    """Keep others of the same kind from writing into a folder as long as the context is open.

    The lock is the process's own (POSIX record lock): it goes with the process, however that ends, and workers do not inherit it.

    Args:
        folder: An existing folder.
        what: What writes, for the message to whoever comes second.

    Raises:
        ServiceError: When another process writes there.
    """
    path = folder / LOCK
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise _second(folder, what) from error
        if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            # The first has just ended, and took the file away; a third may hold the next.
            raise _second(folder, what)
        try:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
        finally:
            path.unlink(missing_ok=True)


def _second(folder: Path, what: str) -> ServiceError:
    pid = _pid(folder)
    return ServiceError(
        f"Expected to write into {folder.name} alone, found that another {what}{pid} writes there. Wait until it has ended, "
        "and run again."
    )


def _pid(folder: Path) -> str:
    try:
        told = (folder / LOCK).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
    return f" (process {told})" if told.isdigit() else ""
