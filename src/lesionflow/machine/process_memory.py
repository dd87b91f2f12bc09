"""What another process takes of this machine's memory, and whether the system has killed any for it."""

from pathlib import Path

import psutil

#: Linux counts here how often it killed a process because memory was out (proc(5)).
VMSTAT, KILLS = Path("/proc/vmstat"), "oom_kill "
#: Linux kills the process of the highest figure first; whoever may raise it needs no right (proc(5)).
OOM_SCORE, EARLIER = Path("/proc/self/oom_score_adj"), "500"
MB = 1e6


def process_mb(pid: int) -> float:
    """Return what a process and those it started hold in memory, in MB; 0 when it is gone."""
    try:
        process = psutil.Process(pid)
        return sum(one.memory_info().rss for one in (process, *process.children(recursive=True))) / MB
    except psutil.Error:
        return 0.0


def n_memory_kills() -> int:
    """Return how often the system has killed a process for want of memory; 0 where it does not say."""
    try:
        lines = VMSTAT.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.removeprefix(KILLS)) for line in lines if line.startswith(KILLS)), 0)


def be_killed_first() -> None:
    """Have the system kill this process before others of its user when memory is out; where it can't be said, nothing is done."""
    try:
        OOM_SCORE.write_text(EARLIER, encoding="ascii")
    except OSError:
        return
