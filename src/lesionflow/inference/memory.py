"""Keep freed memory for the next layer: fresh pages for every feature map cost a third of a network's time on the CPU."""

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


@contextmanager
def kept_memory() -> Iterator[None]:
    """Let the allocator of this process keep large freed blocks; give them back at the end. Elsewhere than glibc, nothing."""
    libc = _glibc()
    if libc is None:
        yield
        return
    libc.mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES)
    libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
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
