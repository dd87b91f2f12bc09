"""Faults of the machine, told from those of a study: a full disk says nothing of the files that did not fit on it.

What readers catch of broken files, `OSError` above all, may as well be the machine's. Each place that would blame a study asks first:

    except READ_FAULTS as error:
        blame_machine(error)
        raise DicomError(...) from error
"""

import errno
import tempfile
from pathlib import Path

from lesionflow.errors import MachineError

#: By the system's number of the error: what it is called, what was found, what helps. Other numbers (no such file, a name too long, a
#: folder in place of a file) tell of what was given.
FULL = "no space left at {place}", "Free space there"
#: What else helps where the full disk is that of temporary files.
ELSEWHERE = ", or set TMPDIR to a larger disk"
LIMITED = (
    "the limit of what this user may write at {place}",
    "Free space there, or have the quota or file size limit raised",
)
FILES = "too many open files", "Raise the limit (`ulimit -n`), or set LESIONFLOW_WORKERS lower"
MEMORY = "no memory left", "Free memory, or set LESIONFLOW_WORKERS=1"
DENIED = "no permission at {place}", "Give this user the right to {wanted}"
BROKEN = "a failing disk or network share at {place}", "Check the disk and its connection"
SLOW = "no answer in time from {place}", "Check the connection"
CODES = {
    errno.ENOSPC: ("disk_full", *FULL),
    errno.EDQUOT: ("disk_full", *LIMITED),
    errno.EFBIG: ("disk_full", *LIMITED),
    errno.EMFILE: ("too_many_open_files", *FILES),
    errno.ENFILE: ("too_many_open_files", *FILES),
    errno.ENOMEM: ("out_of_memory", *MEMORY),
    errno.EACCES: ("no_permission", *DENIED),
    errno.EPERM: ("no_permission", *DENIED),
    errno.EROFS: ("no_permission", *DENIED),
    errno.EIO: ("io_error", *BROKEN),
    errno.ENXIO: ("io_error", *BROKEN),
    errno.ENODEV: ("io_error", *BROKEN),
    errno.ESTALE: ("io_error", *BROKEN),
    errno.EREMOTEIO: ("io_error", *BROKEN),
    errno.ENOTCONN: ("io_error", *BROKEN),
    errno.ETIMEDOUT: ("timed_out", *SLOW),
}
#: A fault may be wrapped by libraries so often.
MAX_WRAPPINGS = 8


def blame_machine(error: BaseException | None, place: Path | None = None) -> None:
    """Raise what the machine did, where an error, or one that it was raised from, is the machine's; else return.

    Args:
        error: What was caught.
        place: The folder or file that was worked on; without, the one that the error names, or the folder for temporary files.

    Raises:
        MachineError: When the machine is to blame.
    """
    found = machine_fault(error, place)
    if found is not None:
        raise found from error


def machine_fault(error: BaseException | None, place: Path | None = None) -> MachineError | None:
    """Return what `blame_machine` raises; None when the machine is not to blame."""
    for _ in range(MAX_WRAPPINGS):
        if error is None or isinstance(error, MachineError):
            return error
        code = CODES.get(_number(error))
        if code is not None:
            where = place or _named(error) or Path(tempfile.gettempdir())
            return _told(code, where, _place_of(error) if place is None else None)
        error = error.__cause__ or error.__context__
    return None


def _told(code: tuple[str, str, str], where: Path, file: str | None) -> MachineError:
    kind, what, advice = code
    wanted = "read it" if file else "write there"
    if (what, advice) == FULL and where.absolute().is_relative_to(tempfile.gettempdir()):
        advice += ELSEWHERE
    found = what.format(place=file or where)
    return MachineError(
        f"Expected this machine to work, found {found}. {advice.format(wanted=wanted)}, and run again.", code=kind
    )


def _place_of(error: BaseException) -> str | None:
    """Return which file of its folder an error names, by number: its name may name a patient; None where it names no file."""
    name = getattr(error, "filename", None)
    if not isinstance(name, str) or not Path(name).is_file():
        return None
    others = sorted(path.name for path in Path(name).parent.iterdir() if not path.name.startswith("."))
    if Path(name).name not in others:
        return None
    return f"file {others.index(Path(name).name) + 1} of {len(others)} (by name) in {Path(name).parent}"


def _number(error: BaseException) -> int:
    """Return the system's number of an error; 0 for none."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, TimeoutError) and error.errno is None:
        return errno.ETIMEDOUT
    return int(error.errno or 0) if isinstance(error, OSError) else 0


def _named(error: BaseException) -> Path | None:
    """Return the folder of the file that an error names: the file's own name may name a patient."""
    name = getattr(error, "filename", None)
    return Path(name).parent if isinstance(name, str) and name else None
