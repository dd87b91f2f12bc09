"""Whose a file may be: numbers of processes are given again, in a container at each start the same. What a process holds, `process_memory` tells, not this."""

from pathlib import Path

import psutil


def may_have_made(pid: int, path: Path) -> bool:
    """Tell whether a process runs that is older than a file or folder.

    Args:
        pid: Its number.
        path: What it may have made.
    """
    try:
        # Told to a second, and never later than the true start.
        return psutil.Process(pid).create_time() <= path.stat().st_ctime
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
    except psutil.AccessDenied:
        return True
