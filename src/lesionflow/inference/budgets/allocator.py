"""What the allocator of this process does with freed memory: keep it for the next layer, or give it back at once.

Fresh pages for every feature map cost a third of a network's time on the CPU; kept ones count until the end.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: `mallopt` parameters of glibc (malloc.h).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
#: Blocks up to this size are taken from the heap, which keeps them; glibc's own limit never grows beyond 32 MB.
KEPT_BLOCK_BYTES = 1 << 28
KEPT_BYTES = 1 << 30
#: Where glibc's own limits end up in a process that handles large blocks.
USUAL_BLOCK_BYTES = 1 << 25


#: Blocks from this size on are given back at once where memory is short.
RETURNED_BLOCK_BYTES = 1 << 20


@contextmanager
def kept_memory() -> Iterator[None]:
    """Let the allocator of this process keep large freed blocks; give them back at the end. Elsewhere than glibc, nothing."""
    with _thresholds(KEPT_BLOCK_BYTES, KEPT_BYTES):
        yield


@contextmanager
def returned_memory() -> Iterator[None]:
    """Let the allocator of this process give large freed blocks back at once. Elsewhere than glibc, nothing."""
    with _thresholds(RETURNED_BLOCK_BYTES, RETURNED_BLOCK_BYTES):
        yield


@contextmanager
def _thresholds(block_bytes: int, kept_bytes: int) -> Iterator[None]:
    libc = _glibc()
    if libc is None:
        yield
        return
    libc.mallopt(M_MMAP_THRESHOLD, block_bytes)
    libc.mallopt(M_TRIM_THRESHOLD, kept_bytes)
    try:
        yield
    finally:
        libc.mallopt(M_MMAP_THRESHOLD, USUAL_BLOCK_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, 2 * USUAL_BLOCK_BYTES)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
