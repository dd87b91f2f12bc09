"""What DVC takes for many small files, as its users call it: `add`, `status`, `push` to a folder, `pull` into a clone.

A CT slice of 256 x 256 has 128 KiB. Seconds of CPU are those of DVC and its children; pushes end on the same disk.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

N_FILES = (1_000, 10_000)
FILE_BYTES = 128 << 10
A_STUDY = 100


def run() -> None:
    """Print the figures, and what they say of 100,000 files."""
    print(f"\nDVC, files of {FILE_BYTES >> 10} KiB, {A_STUDY} a folder; seconds of CPU (wall), peak memory")
    measured = {n: measure(n) for n in N_FILES}
    for n, rows in measured.items():
        for name, (cpu_s, wall_s, peak_mb) in rows.items():
            print(f"  {n:>7,} files  {name:<22} {cpu_s:8.1f} s ({wall_s:7.1f} s)  {peak_mb:6.0f} MB")
    few, many = (measured[n] for n in N_FILES)
    for name in many:
        (a, _, a_mb), (b, _, b_mb) = few[name], many[name]
        steps = (100_000 - N_FILES[1]) / (N_FILES[1] - N_FILES[0])
        print(
            f"  100,000 files, in a line  {name:<22} {b + (b - a) * steps:8.0f} s  {b_mb + (b_mb - a_mb) * steps:6.0f} MB"
        )


def measure(n_files: int) -> dict[str, tuple[float, float, float]]:
    """Return seconds of CPU, seconds and MB of each command, by what it does."""
    with tempfile.TemporaryDirectory(prefix="many-files-") as folder:
        work, remote = Path(folder) / "work", Path(folder) / "remote"
        raw = work / "raw"
        values = np.random.default_rng(n_files)
        for number in range(n_files):
            at = raw / f"study{number // A_STUDY:05d}" / f"{number % A_STUDY:04d}.dcm"
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_bytes(values.bytes(FILE_BYTES))
        for command in (
            ["git", "init", "-q"],
            _dvc("init", "-q"),
            _dvc("remote", "add", "-q", "-d", "store", str(remote)),
        ):
            subprocess.run(command, cwd=work, check=True, capture_output=True)
        rows = {"add": timed(_dvc("add", "-q", "raw"), work), "status, unchanged": timed(_dvc("status"), work)}
        rows["push"] = timed(_dvc("push", "-q"), work)
        rows["push, nothing new"] = timed(_dvc("push", "-q"), work)
        (raw / "study00000" / "new.dcm").write_bytes(values.bytes(FILE_BYTES))
        rows["add, one file more"] = timed(_dvc("add", "-q", "raw"), work)
        clone = Path(folder) / "clone"
        clone.mkdir()
        for name in ("raw.dvc", ".dvc/config"):
            (clone / name).parent.mkdir(exist_ok=True)
            (clone / name).write_bytes((work / name).read_bytes())
        subprocess.run(_dvc("push", "-q"), cwd=work, check=True)
        subprocess.run(["git", "init", "-q"], cwd=clone, check=True)
        rows["pull into a clone"] = timed(_dvc("pull", "-q"), clone)
        return rows


def _dvc(*words: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *words]


def timed(command: list[str], folder: Path) -> tuple[float, float, float]:
    """Return seconds of CPU, seconds, and the command's own peak in MB."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | {"DVC_NO_ANALYTICS": "1"}, stdout=subprocess.DEVNULL
    )
    peak_kb = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        except OSError:
            break
        peak_kb = max([peak_kb, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.02)
    if process.wait():
        raise RuntimeError(f"{command[2:]} failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        time.perf_counter() - began,
        peak_kb / 1000,
    )
