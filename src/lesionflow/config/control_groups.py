"""What a container leaves to this process: control groups of Linux, versions 1 and 2, with all groups around it.

`joblib` and `loky` count cores by quota too, but look at the topmost group alone, so that neither `systemd-run -p CPUQuota=` nor a
group of one's own counts; `psutil` knows no groups.
"""

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PROC = Path("/proc/self")
MB = 1_000_000
OCTAL = re.compile(r"\\([0-7]{3})")


def usable_cores(proc: Path = PROC) -> int:
    """Return how many cores this process may keep busy: those it is bound to, or less by a quota, rounded up; at least 1.

    Args:
        proc: Where the kernel describes the process.
    """
    cores = len(os.sched_getaffinity(0))
    quotas = (_quota(group) for group in _groups(proc, "cpu"))
    return max(1, min([cores, *(math.ceil(quota) for quota in quotas if quota is not None)]))


def memory_left(proc: Path = PROC) -> int | None:
    """Return the bytes that the groups of this process still leave, their file cache counted as free; None without a limit.

    Args:
        proc: Where the kernel describes the process.
    """
    left = [limit - taken for limit, taken in _bounds(proc)]
    return max(0, min(left)) if left else None


def memory_budget_mb(proc: Path = PROC) -> int | None:
    """Return the MB that this process may take in all: what its groups leave beside it, at most their limit; None without a limit.

    Args:
        proc: Where the kernel describes the process.
    """
    bounds = list(_bounds(proc))
    if not bounds:
        return None
    own = int((proc / "statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    # A library that others have loaded is theirs to pay for, so that a process may hold more than its group has taken.
    return max(1, min(limit - max(0, taken - own) for limit, taken in bounds) // MB)


def _bounds(proc: Path) -> Iterator[tuple[int, int]]:
    return (bound for group in _groups(proc, "memory") if (bound := _limit_and_taken(group)) is not None)


def _groups(proc: Path, controller: str) -> Iterator[Path]:
    """Yield the folder of the group that rules here, and those of the groups around it."""
    try:
        memberships = (proc / "cgroup").read_text(encoding="utf-8").splitlines()
        mounts = (proc / "mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux, or /proc is kept from us
        return
    paths: dict[str, str] = {}
    for line in memberships:
        _, names, path = line.split(":", 2)
        paths |= dict.fromkeys(names.split(","), path)
    for line in mounts:
        before, _, after = line.partition(" - ")
        root, point = (OCTAL.sub(lambda m: chr(int(m[1], 8)), word) for word in before.split()[3:5])
        kind, _, options = after.split(maxsplit=2)
        name = controller if kind == "cgroup" and controller in options.split(",") else ""
        if (kind == "cgroup2" or name) and name in paths:
            yield from _upwards(Path(point), PurePosixPath(root), PurePosixPath(paths[name]))


def _upwards(point: Path, root: PurePosixPath, path: PurePosixPath) -> Iterator[Path]:
    # A container without a namespace of its own sees the host's path, which is not below its mount: its group is the mount then.
    below = path.relative_to(root) if path.is_relative_to(root) and ".." not in path.parts else PurePosixPath()
    folder = point / below
    yield folder
    while folder != point:
        folder = folder.parent
        yield folder


def _quota(group: Path) -> float | None:
    """Return a group's cores: of version 2, else of version 1; None where it has no bound."""
    words = _words(group / "cpu.max") or [*_words(group / "cpu.cfs_quota_us"), *_words(group / "cpu.cfs_period_us")]
    quota, period = (*words, "", "")[:2]
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(quota) and int(period) else None


def _limit_and_taken(group: Path) -> tuple[int, int] | None:
    for limit, used, cached in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        bound, taken = _words(group / limit), _words(group / used)
        # Version 1 says that there is none by the largest number of whole pages.
        if bound and taken and bound[0].isdigit() and int(bound[0]) < 1 << 60:
            stat = _words(group / "memory.stat")
            kept = dict(zip(stat[::2], stat[1::2], strict=False)).get(cached, "0")
            return int(bound[0]), int(taken[0]) - int(kept)
    return None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []
