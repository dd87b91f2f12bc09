"""A process that is gone is named with its code, whatever gloo says of it; a fault of the training stays what it is."""

import subprocess
import sys

import pytest

from lesionflow.errors import LesionFlowError
from lesionflow.steps.train.processes import lost_processes
from lesionflow.steps.train.processes.lost_processes import end, part, telling_losses

#: What gloo raised here when a worker was killed (torch 2.13).
GLOO = "[../third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:4242"


def start(code):
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)


@pytest.fixture
def sleeper():
    worker = start("import time; time.sleep(600)")
    yield worker
    end([worker])
    assert worker.returncode == -9


def test_a_worker_that_was_killed_is_named_though_its_death_is_not_told_yet(sleeper):
    """The connection breaks first: the process is seen to be gone a moment later."""

    def break_off():
        with telling_losses([sleeper]):
            sleeper.kill()
            raise RuntimeError(GLOO)

    with pytest.raises(LesionFlowError, match=r"1 processes beside this one .* ended with code -9 \(killed\)"):
        break_off()


@pytest.mark.parametrize("fault", [RuntimeError("one of the variables has been modified"), BrokenPipeError()])
def test_a_worker_that_ended_by_itself_is_named_with_its_code(fault):
    worker = start("raise SystemExit(3)")
    worker.wait()
    with pytest.raises(LesionFlowError, match="code 3;"), telling_losses([worker]):
        raise fault
    end([worker])


def test_where_no_process_of_this_machine_is_gone_the_connection_is_named():
    with (
        pytest.raises(LesionFlowError, match=r"reach one another to the end, found: .*closed by peer"),
        telling_losses(()),
    ):
        raise RuntimeError(GLOO)


def test_a_fault_of_the_training_stays_what_it_is(sleeper, monkeypatch):
    monkeypatch.setattr(lost_processes, "SETTLE_S", 0.1)
    with pytest.raises(RuntimeError, match="out of memory"), telling_losses([sleeper]):
        raise RuntimeError("CUDA out of memory")


def test_one_that_does_not_end_fails_no_training(sleeper, caplog):
    part([sleeper], 0.05)
    assert "did not end within" in caplog.text
