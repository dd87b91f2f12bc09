"""The ten thousand broken files of `benchmarks/fuzz.py`: each is read, or refused by an error of ours.

A quarter of them; with `LESIONFLOW_TEST_WHOLE=1`, all.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import fuzz

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not fuzz.DATA.exists(), reason="needs the real data of ../shared/data"),
]

ROOT = Path(__file__).resolve().parents[2]
MAX_MB = 1024
SUMMARY = re.compile(r"(\d+) mutated files: (\d+) unnamed errors, slowest [\d.]+ s, peak memory (\d+) MB")


def test_nothing_but_named_errors_comes_out_of_ten_thousand():
    """In processes of their own: memory is theirs alone. A hang is an unnamed error."""
    a_part = 2500 if os.environ.get("LESIONFLOW_TEST_WHOLE") == "1" else 625
    parts = [(n, n + a_part) for n in range(0, fuzz.COUNT, 2500)]
    environment = {**os.environ, "RUST_BACKTRACE": "0", "OMP_NUM_THREADS": "1"}
    for pair in zip(parts[::2], parts[1::2], strict=True):
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.fuzz", str(first), str(last)],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for first, last in pair
        ]
        for process in running:
            said, _ = process.communicate()
            assert process.returncode == 0, said
            n_files, n_unnamed, peak_mb = map(int, SUMMARY.search(said).groups())
            assert (n_files, n_unnamed) == (a_part, 0), said
            assert peak_mb < MAX_MB


def test_the_mutants_reach_into_the_readers():
    """They are refused for many reasons, some are still whole, and the same number is the same mutant."""
    first = [(name, outcome) for _, name, outcome, _ in fuzz.read_all(0, 150)]
    outcomes = {outcome for _, outcome in first}
    assert len(outcomes) > 8
    assert "read" in outcomes
    assert first == [(name, outcome) for _, name, outcome, _ in fuzz.read_all(0, 150)]


def test_an_unnamed_error_and_a_hang_are_told(monkeypatch, tmp_path):
    monkeypatch.setattr(fuzz, "LIMIT_S", 0.2)

    def hang(_):
        while True:
            pass

    def broken(_):
        raise ZeroDivisionError

    monkeypatch.setattr(fuzz, "seeds", lambda: [fuzz.Seed("a", b"123456789", ".dcm", read) for read in (hang, broken)])
    hung, unnamed = (outcome.split("\n")[0] for _, _, outcome, _ in fuzz.read_all(0, 2))
    assert hung.startswith("UNNAMED HangError")
    assert unnamed.startswith("UNNAMED ZeroDivisionError")
