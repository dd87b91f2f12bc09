"""What a study would cost, told from its headers before any array is made.

Who reads a study opens `study_budget`; readers call `require_volume` with what a header claims. A header of some kB can claim a grid
of terabytes, a spacing by which resampling never ends, or voxels that its file can't hold: all that is refused by name, at once.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import permutations
from typing import NoReturn

from lesionflow.config import StudyLimits, load_study_limits
from lesionflow.data.geometry import Shape, SpacingMm
from lesionflow.errors import InputError
from lesionflow.machine.memory import available_bytes

#: A network sees nothing of what it learned when voxels are so many times finer than its own; the smoothing that comes before is
#: three times as wide. Thin CT at 0.2 mm for a model of 5 mm slices: 25.
MAX_SHRINK = 64
#: Patients lie within some metres of a scanner's origin.
MAX_POSITION_MM = 1e6
#: Any volume may be packed to so few bytes, and a mask to still fewer.
FREE_BYTES, FREE_MASK_BYTES = 64 << 20, 1 << 30
#: Bytes of a voxel: as float32, and once more while it is turned, scaled or checked.
HELD_BYTES = 8
MB = 1e6


@dataclass
class StudyBudget:
    """What is known of the study that is being read.

    Args:
        limits: What is allowed.
        model_spacing_mm: Of the model that it is read for; None along an axis that keeps the study's own.
        n_voxels: Of its largest image so far: no mask of it has more.
        is_mask: Whether a mask is being read.
    """

    limits: StudyLimits
    model_spacing_mm: tuple[float | None, ...] | None = None
    n_voxels: int = field(default=0)
    is_mask: bool = field(default=False)


_budget: ContextVar[StudyBudget | None] = ContextVar("lesionflow_study_budget", default=None)


@contextmanager
def study_budget(model_spacing_mm: tuple[float | None, ...] | None = None) -> Iterator[StudyBudget]:
    """Keep count of one study, in this thread, as long as the context is open.

    Args:
        model_spacing_mm: Of the model that it is read for.

    Yields:
        What is known of it.

    Raises:
        ConfigError: When a limit in the environment is none.
    """
    budget = StudyBudget(load_study_limits(), model_spacing_mm)
    token = _budget.set(budget)
    try:
        yield budget
    finally:
        _budget.reset(token)


@contextmanager
def reading_mask() -> Iterator[None]:
    """Judge what is read as a mask: it may be packed to next to nothing, and has no more voxels than its image."""
    budget = current_budget()
    token = _budget.set(budget)
    before, budget.is_mask = budget.is_mask, True
    try:
        yield
    finally:
        budget.is_mask = before
        _budget.reset(token)


def current_budget() -> StudyBudget:
    """Return the budget of the study that is being read; outside `study_budget` a fresh one."""
    return _budget.get() or StudyBudget(load_study_limits())


def require_volume(
    shape: Sequence[int],
    spacing_mm: SpacingMm | None,
    *,
    name: str,
    itemsize: int,
    n_channels: int = 1,
    file_bytes: int | None = None,
) -> None:
    """Refuse what a header claims where it can't be, or can't be held.

    Args:
        shape: Voxels along each axis.
        spacing_mm: (slice, row, column); None where it is not known.
        name: What to call the study in messages.
        itemsize: Bytes of a number as stored.
        n_channels: Numbers of a voxel.
        file_bytes: Size of the files that hold it packed; None where they hold it plainly.

    Raises:
        InputError: `implausible_spacing`, `oversized_image`, `geometry_mismatch` (a mask of more voxels than its image),
            `memory_budget`, `oversized_model_grid`.
    """
    budget = current_budget()
    if spacing_mm is not None:
        require_spacing(shape, spacing_mm, budget.limits, name=name)
    n_voxels = math.prod(int(n) for n in shape)
    if n_voxels * n_channels > budget.limits.max_voxels:
        _refuse(
            "oversized_image",
            f"Expected at most {budget.limits.max_voxels} voxels in {name}, found {_times(shape)}"
            f"{f' of {n_channels} numbers' if n_channels > 1 else ''}. Crop it, or raise LESIONFLOW_MAX_VOXELS.",
        )
    _require_substance(n_voxels * n_channels * itemsize, file_bytes, budget, shape, name)
    if budget.is_mask:
        _require_within_image(n_voxels, budget, shape, name)
    else:
        budget.n_voxels = max(budget.n_voxels, n_voxels)
    require_memory(n_voxels * n_channels * (itemsize + HELD_BYTES), name=name, what=f"{_times(shape)} voxels")
    if spacing_mm is not None and budget.model_spacing_mm is not None and not budget.is_mask:
        _require_model_grid(shape, spacing_mm, budget.model_spacing_mm, budget.limits, name)


def require_spacing(shape: Sequence[int], spacing_mm: Sequence[float], limits: StudyLimits, *, name: str) -> None:
    """Refuse a spacing that no scanner has, and a volume that no scanner holds.

    Raises:
        InputError: `implausible_spacing`.
    """
    if not all(limits.min_spacing_mm <= s <= limits.max_spacing_mm for s in spacing_mm):
        found = " x ".join(f"{s:.4g}" for s in spacing_mm)
        _refuse(
            "implausible_spacing",
            f"Expected voxels of {limits.min_spacing_mm:g} to {limits.max_spacing_mm:g} mm in {name}, found {found} mm: a "
            "wrong unit or a broken header. Mend it, or set LESIONFLOW_MIN_SPACING_MM and LESIONFLOW_MAX_SPACING_MM.",
        )
    extent = max((n - 1) * s for n, s in zip(shape, spacing_mm, strict=True))
    if extent > limits.max_extent_mm:
        _refuse(
            "implausible_spacing",
            f"Expected a volume of at most {limits.max_extent_mm:g} mm along each axis in {name}, found {extent:.5g} mm: a "
            "wrong unit or a broken header. Mend it, or raise LESIONFLOW_MAX_EXTENT_MM.",
        )


def require_position(origin_mm: Sequence[float], *, name: str) -> None:
    """Refuse a volume that lies where no patient can.

    Raises:
        InputError: `invalid_geometry`.
    """
    if not all(abs(value) <= MAX_POSITION_MM for value in origin_mm):
        found = ", ".join(f"{value:.4g}" for value in origin_mm)
        _refuse(
            "invalid_geometry",
            f"Expected {name} within {MAX_POSITION_MM / 1000:g} m of the origin, found ({found}) mm. Export it again.",
        )


def require_memory(n_bytes: float, *, name: str, what: str) -> None:
    """Refuse what this machine has no memory for.

    Args:
        n_bytes: What it takes at the least.
        name: What to call the study in messages.
        what: What takes it.

    Raises:
        InputError: `memory_budget`.
    """
    # Small studies are not worth a look at the machine, and many small files would feel it.
    if n_bytes > FREE_BYTES and n_bytes > (there := available_bytes()):
        _refuse(
            "memory_budget",
            f"Expected {n_bytes / MB:.0f} MB of free memory for {what} of {name}, found {there / MB:.0f} MB. Free memory (fewer "
            "LESIONFLOW_WORKERS take less), use a larger machine, or send fewer slices.",
        )


def require_grid(source_mm: Sequence[float], shape: Shape, target_mm: Sequence[float], *, name: str) -> None:
    """Refuse a resampling that makes too many voxels or smooths over too many.

    Args:
        source_mm: Spacing of what is resampled, by the axes of the target.
        shape: The grid that it is resampled to.
        target_mm: Its spacing.
        name: What to call the study in messages.

    Raises:
        InputError: `oversized_model_grid`, `implausible_spacing`.
    """
    limits = current_budget().limits
    _require_shrink(source_mm, target_mm, name)
    if math.prod(shape) > limits.max_voxels:
        found = " x ".join(f"{s:.3g}" for s in source_mm)
        wanted = " x ".join(f"{s:.3g}" for s in target_mm)
        _refuse(
            "oversized_model_grid",
            f"Expected at most {limits.max_voxels} voxels of {name} at {wanted} mm, found {_times(shape)}: its own are {found} mm "
            "wide. Check its spacing, crop it, or raise LESIONFLOW_MAX_VOXELS.",
        )


def require_seconds(seconds: float, *, name: str, what: str) -> None:
    """Refuse work that takes too long even if all goes well.

    Raises:
        InputError: `time_budget`.
    """
    allowed = current_budget().limits.max_study_seconds
    if seconds > allowed:
        _refuse(
            "time_budget",
            f"Expected {name} to take at most {allowed:.0f} s, found that {what} alone takes {seconds:.0f} s or more. Crop it, "
            "or raise LESIONFLOW_MAX_STUDY_SECONDS.",
        )


def require_substance(n_bytes: int, file_bytes: int, shape: Sequence[int], *, name: str) -> None:
    """Refuse voxels that take far more memory than the file that is to hold them: nothing is in it.

    Raises:
        InputError: `oversized_image`.
    """
    _require_substance(n_bytes, file_bytes, current_budget(), shape, name)


def _require_substance(
    n_bytes: int, file_bytes: int | None, budget: StudyBudget, shape: Sequence[int], name: str
) -> None:
    if file_bytes is None:
        return
    free = FREE_MASK_BYTES if budget.is_mask else FREE_BYTES
    if n_bytes > max(free, file_bytes * budget.limits.max_inflation):
        _refuse(
            "oversized_image",
            f"Expected voxels packed at most {budget.limits.max_inflation}-fold in {name}, found {_times(shape)} of them, "
            f"{n_bytes / MB:.0f} MB, in {file_bytes / MB:.3f} MB: nothing can be in them. Export it again, or raise "
            "LESIONFLOW_MAX_INFLATION.",
        )


def _require_within_image(n_voxels: int, budget: StudyBudget, shape: Sequence[int], name: str) -> None:
    if 0 < budget.n_voxels < n_voxels:
        _refuse(
            "geometry_mismatch",
            f"Expected a mask of {name} on the grid of its image of {budget.n_voxels} voxels, found one of {_times(shape)}.",
        )


def _require_model_grid(
    shape: Sequence[int],
    spacing_mm: SpacingMm,
    wanted_mm: tuple[float | None, ...],
    limits: StudyLimits,
    name: str,
) -> None:
    """Refuse by the best that could become of it: cropped to a body nothing shrinks by more than some times.

    Which axis is which patient's is not known yet, so all ways to lay them on one another are tried.
    """
    ways = []
    for order in permutations(range(3)):
        own = [spacing_mm[axis] for axis in order]
        target = [o if w is None else w for o, w in zip(own, wanted_mm, strict=True)]
        sizes = [math.ceil((shape[axis] - 1) * o / t) + 1 for axis, o, t in zip(order, own, target, strict=True)]
        ways.append((own, (sizes[0], sizes[1], sizes[2]), target))
    own, _, target = min(ways, key=lambda way: _shrink(way[0], way[2]))
    _require_shrink(own, target, name)
    own, sizes_of, target = min(ways, key=lambda way: math.prod(way[1]))
    if math.prod(sizes_of) > limits.max_voxels:
        require_grid(own, sizes_of, target, name=name)


def _require_shrink(source_mm: Sequence[float], target_mm: Sequence[float], name: str) -> None:
    if _shrink(source_mm, target_mm) > MAX_SHRINK:
        found = " x ".join(f"{s:.3g}" for s in source_mm)
        wanted = " x ".join(f"{s:.3g}" for s in target_mm)
        _refuse(
            "implausible_spacing",
            f"Expected voxels of {name} at most {MAX_SHRINK} times as fine as the {wanted} mm that they are resampled to, found "
            f"{found} mm. Check its spacing.",
        )


def _shrink(source_mm: Sequence[float], target_mm: Sequence[float]) -> float:
    return max(target / source for source, target in zip(source_mm, target_mm, strict=True))


def _times(shape: Sequence[int]) -> str:
    return " x ".join(str(int(n)) for n in shape)


def _refuse(reason: str, message: str) -> NoReturn:
    raise InputError(message, reason=reason)
