import os
import subprocess
import sys
import time

from lesionflow.machine.process_age import may_have_made


def test_a_process_may_have_made_what_is_younger_than_itself(tmp_path):
    made_before = tmp_path / "before"
    made_before.mkdir()
    # The kernel tells starts by the second.
    time.sleep(1.2)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        made_after = tmp_path / "after"
        made_after.mkdir()
        assert not may_have_made(process.pid, made_before)
        assert may_have_made(process.pid, made_after)
        assert may_have_made(os.getpid(), made_before)
        process.communicate(b"\n")
    assert not may_have_made(process.pid, made_after)
    assert not may_have_made(os.getpid(), tmp_path / "never")
