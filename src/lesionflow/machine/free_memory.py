"""How much memory a process may still take."""

import resource

import psutil

from lesionflow.config.control_groups import memory_left


def available_bytes() -> int:
    """Return what this process may still take: of the machine, of its container, of its own limit; the least counts."""
    found = [psutil.virtual_memory().available]
    if (left := memory_left()) is not None:
        found.append(left)
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        found.append(limit - psutil.Process().memory_info().vms)
    return max(min(found), 0)
