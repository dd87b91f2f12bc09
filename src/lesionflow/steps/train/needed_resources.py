"""Before the first epoch: is there the memory, disk and shared memory that a training will take?"""

import logging
import math
import shutil
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from lesionflow.data.plan import Plan
from lesionflow.errors import ConfigError
from lesionflow.models import build_model
from lesionflow.models.training_memory import HEADROOM, training_memory_mb

MEMINFO = Path("/proc/meminfo")
#: A container's own limit, use and details, by the second and first version of control groups.
LIMITS = (
    tuple(Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current", "memory.stat")),
    tuple(
        Path("/sys/fs/cgroup/memory") / name
        for name in ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat")
    ),
)
#: What those details call files kept in memory only because nobody needed it yet: they count as used, and are free.
RECLAIMABLE = ("inactive_file", "total_inactive_file")
SHARED = Path("/dev/shm")  # noqa: S108 - where torch's loaders pass their batches
#: Copies of the weights in a checkpoint (now, best, two moments), and of the checkpoint while it is replaced.
COPIES_ON_DISK = 4 * 2
#: Batches that a loader process makes ahead, and the one it is at.
BATCHES_AHEAD = 3
logger = logging.getLogger(__name__)


class Need(NamedTuple):
    """What a training takes of one thing.

    Args:
        what: The thing.
        needed_mb: At least.
        free_mb: What there is; None where that can't be seen.
        advice: What to do when it is too little.
    """

    what: str
    needed_mb: float
    free_mb: float | None
    advice: str


def require_room(plan: Plan, folder: Path, *, device: str, n_loaders: int) -> tuple[Need, ...]:
    """Refuse a training that would run out of memory, disk or shared memory, before it has begun.

    What is counted is what surely is needed: the estimate without the headroom that the plan keeps.

    Args:
        plan: Network, patch and batch.
        folder: Where checkpoints are kept.
        device: `cpu` or `cuda`.
        n_loaders: Processes that make batches; each passes them through shared memory.

    Returns:
        What was compared.

    Raises:
        ConfigError: With each thing that there is too little of, and what to do.
    """
    weights_mb, network_mb = _network_mb(plan)
    smaller = "Lower plan.batch_size or plan.patch_size, or free some."
    needs = [
        Need("disk for checkpoints", COPIES_ON_DISK * weights_mb, _disk_mb(folder), "Free some, or write elsewhere."),
    ]
    if device == "cuda":
        needs.append(Need("GPU memory", network_mb, torch.cuda.mem_get_info()[0] / 1e6, smaller))
    else:
        needs.append(Need("memory", network_mb, _memory_mb(), smaller))
    if n_loaders:
        shared = n_loaders * BATCHES_AHEAD * _batch_mb(plan)
        advice = "Lower LESIONFLOW_WORKERS, or give the container more (--shm-size)."
        needs.append(Need("shared memory", shared, _disk_mb(SHARED), advice))
    short = [need for need in needs if need.free_mb is not None and need.needed_mb > need.free_mb]
    if short:
        told = "; ".join(f"{n.needed_mb:.0f} MB of {n.what}, found {n.free_mb:.0f} MB free. {n.advice}" for n in short)
        raise ConfigError(f"Expected room for this training: {told}")
    logger.info("there is room for training: %s", ", ".join(f"{n.what} {n.needed_mb:.0f} MB" for n in needs))
    return tuple(needs)


def _network_mb(plan: Plan) -> tuple[float, float]:
    """Return MB of the weights alone, and MB that training surely takes of memory."""
    build = partial(
        build_model,
        plan.architecture,
        in_channels=plan.in_channels,
        out_channels=len(plan.targets),
        dimensions=plan.dimensions,
    )
    size = plan.patch_size[1:] if plan.dimensions == 2 else plan.patch_size
    fixed_mb, sample_mb = training_memory_mb(build, plan.in_channels, size)
    with torch.device("meta"):
        weights_mb = sum(weight.numel() for weight in build().parameters()) * 4 / 1e6
    return weights_mb, fixed_mb + plan.batch_size * sample_mb / HEADROOM


def _batch_mb(plan: Plan) -> float:
    voxels = math.prod(plan.patch_size)
    return plan.batch_size * voxels * (4 * len(plan.channels) + len(plan.targets)) / 1e6


def _disk_mb(folder: Path) -> float | None:
    existing = next((path for path in (folder, *folder.parents) if path.exists()), None)
    return shutil.disk_usage(existing).free / 1e6 if existing else None


def _memory_mb() -> float | None:
    """Return memory that can be had without swapping: the machine's, or what the container's limit leaves."""
    found = []
    if MEMINFO.is_file():
        lines = dict(line.split(":", 1) for line in _read(MEMINFO).splitlines())
        found.append(int(lines["MemAvailable"].split()[0]) * 1024 / 1e6)
    for limit, used, details in LIMITS:
        if all(file.is_file() for file in (limit, used, details)) and (text := _read(limit)) != "max":
            parts = dict(line.split(" ", 1) for line in _read(details).splitlines())
            reclaimable = max(int(parts.get(name, 0)) for name in RECLAIMABLE)
            found.append((int(text) - int(_read(used)) + reclaimable) / 1e6)
    return min(found) if found else None


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()
