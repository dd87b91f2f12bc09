"""What a process may still take: the least of machine, container and its own limit."""

import os
import resource

import psutil

from lesionflow.machine import free_memory
from lesionflow.machine.free_memory import available_bytes


def test_it_is_some_of_the_machines_memory():
    assert 0 < available_bytes() <= psutil.virtual_memory().total


def test_a_containers_limit_counts(monkeypatch):
    monkeypatch.setattr(free_memory, "memory_left", lambda: 3200)
    assert available_bytes() == 3200
    monkeypatch.setattr(free_memory, "memory_left", lambda: None)
    assert available_bytes() > 5000


def test_the_processs_own_limit_counts():
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        taken = psutil.Process().memory_info().vms
        resource.setrlimit(resource.RLIMIT_AS, (taken + (200 << 20), resource.RLIM_INFINITY))
        os.write(writing, str(available_bytes()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert 150 << 20 < int(os.read(reading, 100)) <= 200 << 20
