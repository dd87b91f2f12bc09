"""What another process holds, and kills for memory, as the system tells them."""

import os
import subprocess
import sys

import psutil

from lesionflow.machine import process_memory
from lesionflow.machine.process_memory import be_killed_first, n_memory_kills, process_mb

HOLDS = "held = bytearray(b'x') * {mb}_000_000; print(flush=True); input()"


def test_what_a_process_and_its_children_hold_is_counted():
    grown = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {HOLDS.format(mb=150)!r}], stdin=0); {HOLDS.format(mb=100)}"
    process = subprocess.Popen([sys.executable, "-c", grown], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.readline()
    alone = psutil.Process(process.pid).memory_info().rss / 1e6
    both = process_mb(process.pid)
    assert 100 < alone < 150 + 100 < both < 400
    for one in psutil.Process(process.pid).children():
        one.kill()
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        pipe.close()
    assert process_mb(process.pid) == 0.0


def test_kills_are_read_where_the_system_tells_them(tmp_path, monkeypatch):
    monkeypatch.setattr(process_memory, "VMSTAT", tmp_path / "vmstat")
    assert n_memory_kills() == 0
    (tmp_path / "vmstat").write_text("pgfault 8\noom_kill 17\npgscan 9\n")
    assert n_memory_kills() == 17


def test_a_process_asks_to_be_killed_first(tmp_path, monkeypatch):
    monkeypatch.setattr(process_memory, "OOM_SCORE", tmp_path / "oom_score_adj")
    be_killed_first()
    assert 0 < int((tmp_path / "oom_score_adj").read_text()) <= 1000
    # Where there is none, it goes on.
    monkeypatch.setattr(process_memory, "OOM_SCORE", tmp_path / "missing" / "oom_score_adj")
    be_killed_first()
    assert os.getpid() > 0
