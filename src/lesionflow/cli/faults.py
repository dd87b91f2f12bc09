"""What a machine refuses, in words: a full disk, a folder that may not be written, a name that is too long."""

import errno
from collections.abc import Mapping

from lesionflow.errors import ConfigError, LesionFlowError

#: Faults of the place that somebody named: name another.
PLACES: Mapping[int, str] = {
    errno.EACCES: "may not be read or written by this user: change its permissions, or name another place",
    errno.EPERM: "may not be changed by this user: change its permissions, or name another place",
    errno.EROFS: "lies on a file system that is read-only: name another place",
    errno.ENOTDIR: "lies below a file: a folder is needed there",
    errno.EISDIR: "is a folder: a file is needed there",
    errno.EEXIST: "is there already, and is a file where a folder is needed",
    errno.ENOENT: "is not there",
    errno.ENAMETOOLONG: "has a name that is longer than file systems take: choose a shorter one",
    errno.ELOOP: "is a link that leads back to itself: mend it",
    errno.ENOTEMPTY: "is a folder that still holds files",
}
#: Faults of the machine, wherever the files lie.
MACHINE: Mapping[int, str] = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.EIO: "the disk fails: look after it",
    errno.EMFILE: "too many files are open: raise `ulimit -n`",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENOMEM: "there is not enough memory",
    errno.EFBIG: "a file is larger than the file system takes",
}
LONGEST_PATH = 120


def explain(error: OSError) -> LesionFlowError | None:
    """Return the error of ours that says what a machine refused; None where it is none that we know.

    Args:
        error: What was raised.
    """
    number = error.errno or 0
    path = str(error.filename or "")
    shown = path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}..."
    if number in MACHINE:
        where = f" ({shown})" if shown else ""
        return LesionFlowError(f"Expected room to work, but {MACHINE[number]}{where}. The same command then goes on.")
    if number in PLACES and shown:
        return ConfigError(f"Expected a place to read and write, but {shown} {PLACES[number]}.")
    return None
