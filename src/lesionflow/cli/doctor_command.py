"""`doctor`: what this machine has, what is missing, what would fail."""

import argparse
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lesionflow.config import Settings
from lesionflow.config.control_groups import memory_left, usable_cores

GIB = 1 << 30
LOCK = Path(__file__).resolve().parents[3] / "requirements.lock"
#: Less than this and the demonstration's own figures are not reached.
NEEDED_MEMORY_GIB, NEEDED_DISK_GIB = 4.0, 5.0


class MachineFact(NamedTuple):
    """One line: `ok`, `missing` (something would fail) or `note`."""

    state: str
    what: str
    detail: str


def add_commands(commands: Any) -> None:
    """Add `doctor`."""
    doctor = commands.add_parser("doctor", help="what this machine has, what is missing, what would fail")
    doctor.set_defaults(run=_doctor)


def _doctor(parsed: argparse.Namespace) -> int:
    del parsed
    findings = [*_machine(), *_packages(), *_programs(), *_state()]
    for finding in findings:
        sys.stdout.write(f"{finding.state:>8}  {finding.what}: {finding.detail}\n")
    return 1 if any(finding.state == "missing" for finding in findings) else 0


def _machine() -> Iterator[MachineFact]:
    right = sys.version_info[:2] == (3, 11)
    yield MachineFact("ok" if right else "missing", "Python", f"{platform.python_version()} (3.11 is needed)")
    yield MachineFact("ok", "cores", _cores())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    left = memory_left()
    memory = memory if left is None else min(memory, left / GIB)
    yield MachineFact("ok" if memory >= NEEDED_MEMORY_GIB else "missing", "memory", f"{memory:.1f} GiB")
    disk = shutil.disk_usage(Path.cwd()).free / GIB
    yield MachineFact("ok" if disk >= NEEDED_DISK_GIB else "missing", "free disk here", f"{disk:.1f} GiB")
    gpu = shutil.which("nvidia-smi")
    yield MachineFact(
        "ok" if gpu else "note", "GPU", "nvidia-smi is here" if gpu else "none seen; training runs on the CPU"
    )


def _cores() -> str:
    cores, bound = usable_cores(), len(os.sched_getaffinity(0))
    return f"{cores}" if cores == bound else f"{cores}, by the quota of a container on {bound}"


def _packages() -> Iterator[MachineFact]:
    if not LOCK.is_file():
        yield MachineFact("note", "packages", "requirements.lock is not here to compare with")
        return
    pinned = dict(line.split("==") for line in LOCK.read_text(encoding="utf-8").split() if "==" in line)
    wrong = []
    for name, version in pinned.items():
        try:
            found = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if found != version:
            wrong.append(f"{name} {found} (needs {version})")
    detail = f"{len(pinned)} as pinned" if not wrong else f"{', '.join(wrong[:6])}: run make setup"
    yield MachineFact("missing" if wrong else "ok", "packages", detail)


def _programs() -> Iterator[MachineFact]:
    for program, need, words in (
        ("git", True, "lesionflow run needs it"),
        ("docker", False, "make image takes it, buildah or podman"),
        ("dciodvfy", False, "only checks written DICOM SEGs; Debian: dicom3tools"),
    ):
        path = shutil.which(program)
        yield MachineFact("ok" if path else "missing" if need else "note", program, path or f"not here; {words}")


def _state() -> Iterator[MachineFact]:
    settings = Settings()
    key = settings.private_dir / "pseudonym.key"
    yield MachineFact(
        "ok" if key.exists() else "note", "pseudonym key", f"{key}" if key.exists() else "made by the first ingest"
    )
    yield MachineFact("note", "MLflow", settings.tracking_uri)
    here = [name for name in ("dvc.yaml", "params.yaml", "data/raw") if Path(name).exists()]
    yield MachineFact("note", "workspace here", ", ".join(here) or "none: lesionflow init DIR --preset NAME")
