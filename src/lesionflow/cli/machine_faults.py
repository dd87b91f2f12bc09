"""What a machine refuses, in words: a place that can't be one, beside the faults that `machine.faults` knows."""

import errno
from collections.abc import Mapping

from lesionflow.errors import ConfigError, LesionFlowError
from lesionflow.machine.extras import missing_extra
from lesionflow.machine.faults import machine_fault

#: Faults of the place that somebody named: name another.
PLACES: Mapping[int, str] = {
    errno.ENOTDIR: "lies below a file: a folder is needed there",
    errno.EISDIR: "is a folder: a file is needed there",
    errno.EEXIST: "is there already, and is a file where a folder is needed",
    errno.ENOENT: "is not there",
    errno.ENAMETOOLONG: "has a name that is longer than file systems take: choose a shorter one",
    errno.ELOOP: "is a link that leads back to itself: mend it",
    errno.ENOTEMPTY: "is a folder that still holds files",
}
LONGEST_PATH = 120


def explain(error: OSError | MemoryError | ImportError) -> LesionFlowError | None:
    """Return the error of ours that says what a machine refused or lacks; None where it is none that we know.

    Args:
        error: What was raised.
    """
    if isinstance(error, ImportError):
        return missing_extra(error)
    path = str(getattr(error, "filename", None) or "")
    number = getattr(error, "errno", None) or 0
    if path and number in PLACES:
        shown = path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}..."
        return ConfigError(f"Expected a place to read and write, but {shown} {PLACES[number]}.")
    return machine_fault(error)
