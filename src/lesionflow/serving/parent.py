"""The process that started this one: a worker must not outlive it, or it goes on answering from an old model and holds the address."""

import ctypes
import os
import signal
import sys

#: prctl(2): the signal that this process gets when its parent dies.
PR_SET_PDEATHSIG = 1


def stop_with_parent() -> None:
    """Have this process stopped by SIGTERM when its parent dies, however that dies; on Linux, elsewhere nothing is done."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        # It died in between.
        os.kill(os.getpid(), signal.SIGTERM)
