import os
import signal
import subprocess
import sys

import pytest

from lesionflow.errors import ServiceError
from lesionflow.registry.succession import guard

HOLD = """
import sys, time
from pathlib import Path
from lesionflow.registry.succession.guard import one_change
with one_change(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_change_waits_for_the_other_and_a_kill_frees_it(tmp_path, monkeypatch):
    ledger = tmp_path / "data" / "ledger.jsonl"
    monkeypatch.setattr(guard, "LONGEST_WAIT_S", 0.2)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(ledger)], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ServiceError, match="another process makes to end"), guard.one_change(ledger):
            pytest.fail("two hold it")
        os.kill(other.pid, signal.SIGKILL)
    with guard.one_change(ledger):
        assert not ledger.exists()
