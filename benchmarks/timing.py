"""Time calls in turn, so that a machine that slows down slows all of them."""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

Call = Callable[[], object]
STATUS = Path("/proc/self/status")


def peak_mb() -> float:
    """Return the most memory that this process has held, in MiB.

    Not `ru_maxrss`: Linux starts that of a process with what the one that started it held.
    """
    (line,) = (line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def compare(calls: Mapping[str, Call], rounds: int) -> dict[str, list[float]]:
    """Call each once to warm up, then all in turn, round by round.

    Args:
        calls: What to time, by name; the first is ours.
        rounds: How often.

    Returns:
        Seconds of each call.
    """
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def show(title: str, seconds: Mapping[str, list[float]]) -> None:
    """Print median, minimum and maximum, and the first's ratio to the others."""
    print(f"\n{title}")
    ours = statistics.median(next(iter(seconds.values())))
    for name, values in seconds.items():
        median = statistics.median(values)
        ratio = "" if values is next(iter(seconds.values())) else f"  ours takes {ours / median:.3f} of it"
        print(f"  {name:<42} {median:8.3f} s  [{min(values):.3f}, {max(values):.3f}]{ratio}")
