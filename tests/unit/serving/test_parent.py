"""A worker goes with its parent, even where that is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """
import subprocess, sys, time
worker = "import time; from lesionflow.serving.parent import stop_with_parent; stop_with_parent(); print(1, flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", worker], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_worker_whose_parent_is_killed_ends():
    parent = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    parent.stdout.close()
    assert is_running(worker)
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while is_running(worker) and time.monotonic() < end:
        time.sleep(0.02)
    try:
        assert not is_running(worker)
    finally:
        if is_running(worker):
            os.kill(worker, signal.SIGKILL)
