"""How often a key may ask, and how often somebody may ask with a key that is none: a bucket each, which fills by the minute. Whether a key opens a route is for `policies` to say, not this."""

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum

#: Who is asked for longest ago is forgotten first: each kind has room of its own, so that strangers push no key out.
MOST_BUCKETS = 10_000
#: Keys that are none, of one address.
FAILURES_A_MINUTE = 30
#: Of IPv6 addresses, one user has at least so many bits.
NETWORK_BITS = 64


class Asking(StrEnum):
    """What is counted."""

    HAND_IN = "hand_in"
    READ = "read"
    FAILURE = "failure"


class RateLimits:
    """Buckets of all who ask.

    Args:
        a_minute: How many of each kind; 0: as many as anybody likes.
        clock: Seconds.
    """

    def __init__(self, a_minute: dict[Asking, int], clock: Callable[[], float] = time.monotonic) -> None:
        self._a_minute, self._clock, self._lock = a_minute, clock, threading.Lock()
        self._buckets: dict[Asking, OrderedDict[str, tuple[float, float]]] = {kind: OrderedDict() for kind in Asking}

    def take(self, kind: Asking, who: str) -> float:
        """Count one more.

        Args:
            kind: What is done.
            who: The id of a key, or `whom_of` an address.

        Returns:
            0 when it may be; else after how many seconds it may.
        """
        limit = self._a_minute[kind]
        if limit == 0:
            return 0.0
        with self._lock:
            now, buckets = self._clock(), self._buckets[kind]
            left, at = buckets.pop(who, (float(limit), now))
            left = min(float(limit), left + (now - at) * limit / 60)
            may = left >= 1
            buckets[who] = (left - 1 if may else left, now)
            if len(buckets) > MOST_BUCKETS:
                buckets.popitem(last=False)
        return 0.0 if may else (1 - left) * 60 / limit


def whom_of(address: str | None) -> str:
    """Return whom an address stands for: itself, or of IPv6 its network, of which one user has all addresses."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, NETWORK_BITS), strict=False))


def in_whole_seconds(seconds: float) -> str:
    """Return what `Retry-After` says (RFC 9110, 10.2.3)."""
    return str(max(1, math.ceil(seconds)))
