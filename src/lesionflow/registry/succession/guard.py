"""One change of champion at a time: a lock beside the ledger."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lesionflow.errors import ServiceError
from lesionflow.machine.faults import blame_machine

LOCK = ".ledger.lock"
#: A change takes seconds; whoever waits longer is told.
LONGEST_WAIT_S, PAUSE_S = 300.0, 0.05


@contextmanager
def one_change(ledger: Path) -> Iterator[None]:
    """Keep other changes of champion by the same ledger waiting as long as the block runs; a kill ends it too.

    Args:
        ledger: The ledger; its folder is made.

    Yields:
        Nothing.

    Raises:
        ServiceError: When another one does not end.
        MachineError: When the lock can't be made.
    """
    try:
        ledger.parent.mkdir(parents=True, exist_ok=True)
        file = ledger.with_name(LOCK).open("a+b")
    except OSError as error:
        blame_machine(error, ledger.parent)
        raise
    with file:
        begun = time.monotonic()
        while not _is_ours(file.fileno()):
            if time.monotonic() - begun > LONGEST_WAIT_S:
                raise ServiceError(
                    "Expected the change of champion that another process makes to end, found that it goes on. Look what it "
                    "waits for, end it, and give the same command again."
                )
            time.sleep(PAUSE_S)
        yield


def _is_ours(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
