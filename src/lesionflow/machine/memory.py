"""How much memory a process may still take."""

import resource
from pathlib import Path

import psutil

#: Where a container's limit and use stand: control groups of version 2, and of version 1.
CGROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def available_bytes() -> int:
    """Return what this process may still take: of the machine, of its container, of its own limit; the least counts."""
    found = [psutil.virtual_memory().available]
    found += [left for limit, used in CGROUPS if (left := _left(limit, used)) is not None]
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        found.append(limit - psutil.Process().memory_info().vms)
    return max(min(found), 0)


def _left(limit: Path, used: Path) -> int | None:
    try:
        return int(limit.read_text()) - int(used.read_text())
    except (OSError, ValueError):  # there is none, or it is `max`
        return None
