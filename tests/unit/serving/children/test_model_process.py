"""A child that hangs, grows or dies: its study ends with a reason, soon, and nothing of it stays. It hangs by SIGSTOP, as in a decoder."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import psutil
import pytest

from lesionflow.errors import InputError, MachineError
from lesionflow.serving.children import model_process
from lesionflow.serving.children.failures import ChildDiedError, DeadlineError, StoppedError
from lesionflow.serving.children.model_process import ModelProcess, Terms

ORDER = {"parts": [], "into": "/", "format": "json", "max_unpacked_mb": 1, "max_files": 1}
#: The word to stop, half a second for it, and what a busy machine takes.
SOON_S = 10.0


@pytest.fixture
def start():
    """Start children that do not answer, as they are stopped before they have loaded a library."""
    started = []

    def make(memory_mb=None):
        started.append(ModelProcess(memory_mb))
        os.kill(started[-1].pid, signal.SIGSTOP)
        return started[-1]

    yield make
    for process in started:
        process.kill()


def later(work, seconds=0.3):
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer


def test_a_study_that_nobody_wants_any_more_ends_though_its_process_hangs(start):
    process, halt = start(), threading.Event()
    later(halt.set)
    began = time.monotonic()
    with pytest.raises(StoppedError):
        process.segment(ORDER, Terms(halt))
    assert time.monotonic() - began < SOON_S
    assert not psutil.pid_exists(process.pid)


def test_a_study_ends_at_its_deadline_though_its_process_hangs(start):
    process = start()
    with pytest.raises(DeadlineError, match=r"within 0\.5 s") as error:
        process.segment(ORDER, Terms(seconds=0.5, until=time.monotonic() + 0.5))
    assert (error.value.http_status, error.value.code) == (504, "deadline_exceeded")
    assert not psutil.pid_exists(process.pid)


def test_a_study_that_takes_more_memory_than_it_may_is_ended(start):
    process = start(memory_mb=0)
    with pytest.raises(InputError, match="within 0 MB") as error:
        process.segment(ORDER, Terms())
    assert error.value.reason == "memory_budget"
    assert not psutil.pid_exists(process.pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_process_that_dies_of_a_study_is_told_by_its_signal(start, monkeypatch, number):
    # Whatever else the system kills on this machine.
    monkeypatch.setattr(model_process, "n_memory_kills", lambda: 0)
    process = start()
    process._n_kills = 0

    def die():
        os.kill(process.pid, number)
        os.kill(process.pid, signal.SIGCONT)

    later(die)
    with pytest.raises(ChildDiedError, match=number.name):
        process.segment(ORDER, Terms())
    assert not process.is_alive
    with pytest.raises(ChildDiedError, match=number.name):
        process.segment(ORDER, Terms())


def test_a_process_that_the_system_killed_for_memory_is_told_as_such(start, monkeypatch):
    process = start()
    monkeypatch.setattr(model_process, "n_memory_kills", lambda: process._n_kills + 1)
    later(lambda: os.kill(process.pid, signal.SIGKILL))
    with pytest.raises(MachineError) as error:
        process.segment(ORDER, Terms())
    assert error.value.code == "out_of_memory"


def test_a_child_ends_when_whoever_started_it_is_killed():
    program = textwrap.dedent("""
        import time
        from lesionflow.serving.children.model_process import ModelProcess
        print(ModelProcess().pid, flush=True)
        time.sleep(60)
    """)
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 60
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "the child outlived its parent"
        time.sleep(0.05)


def test_terms_say_why_work_must_end():
    assert Terms().reason_to_end() is None
    halt = threading.Event()
    halt.set()
    assert isinstance(Terms(halt).reason_to_end(), StoppedError)
    assert isinstance(Terms(until=0.0).reason_to_end(), DeadlineError)
