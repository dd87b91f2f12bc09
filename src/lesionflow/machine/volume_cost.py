"""What a volume would cost, told from its header before any array is made: all that is beyond is refused by name, at once.

A header of some kB can claim a grid of terabytes, a spacing by which resampling never ends, or voxels that its file can't hold.
"""

import math
from collections.abc import Sequence
from typing import NoReturn

from lesionflow.config import StudyLimits
from lesionflow.data.geometry import SpacingMm
from lesionflow.errors import InputError
from lesionflow.machine.free_memory import available_bytes
from lesionflow.machine.grid_cost import require_model_grid, times
from lesionflow.machine.study_budget import StudyBudget, current_budget

#: Patients lie within some metres of a scanner's origin.
MAX_POSITION_MM = 1e6
#: Any volume may be packed to so few bytes, and a mask to still fewer.
FREE_BYTES, FREE_MASK_BYTES = 16 << 20, 1 << 30
#: Bytes of a voxel: as float32, and once more while it is turned, scaled or checked.
HELD_BYTES = 8
#: A mask padded on all sides is twice its image along each axis at most.
MAX_PADDING = 8
MB = 1e6


#: Of NIfTI-1, `dim`, short: a mask of a longer study could not be written.
LONGEST_SIDE = 32767


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
        InputError: `implausible_spacing`, `oversized_image`, `geometry_mismatch` (a mask far larger than its image),
            `memory_budget`, `oversized_model_grid`.
    """
    budget = current_budget()
    if spacing_mm is not None:
        require_spacing(shape, spacing_mm, budget.limits, name=name)
    n_voxels = math.prod(int(n) for n in shape)
    if n_voxels * n_channels > budget.limits.max_voxels:
        _refuse(
            "oversized_image",
            f"Expected at most {budget.limits.max_voxels} voxels in {name}, found {times(shape)}"
            f"{f' of {n_channels} numbers' if n_channels > 1 else ''}. Crop it, or raise LESIONFLOW_MAX_VOXELS.",
        )
    if max(shape) > LONGEST_SIDE:
        _refuse(
            "oversized_image",
            f"Expected at most {LONGEST_SIDE} voxels along each axis of {name}, as NIfTI masks can't hold more, found {times(shape)}. Crop it.",
        )
    _require_substance(n_voxels * n_channels * itemsize, file_bytes, budget, shape, name)
    if budget.is_mask:
        _require_within_image(n_voxels, budget, shape, name)
    else:
        budget.n_voxels = max(budget.n_voxels, n_voxels)
    require_memory(n_voxels * n_channels * (itemsize + HELD_BYTES), name=name, what=f"{times(shape)} voxels")
    if spacing_mm is not None and budget.model_spacing_mm is not None and not budget.is_mask:
        require_model_grid(shape, spacing_mm, budget.model_spacing_mm, name=name)


def require_spacing(shape: Sequence[int], spacing_mm: Sequence[float], limits: StudyLimits, *, name: str) -> None:
    """Refuse a spacing that no scanner has, and a volume that no scanner holds.

    Raises:
        InputError: `implausible_spacing`.
    """
    # A sign says which way an axis runs.
    spacing_mm = [abs(s) for s in spacing_mm]
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


def _require_substance(
    n_bytes: int, file_bytes: int | None, budget: StudyBudget, shape: Sequence[int], name: str
) -> None:
    if file_bytes is None:
        return
    free = FREE_MASK_BYTES if budget.is_mask else FREE_BYTES
    if n_bytes > max(free, file_bytes * budget.limits.max_inflation):
        _refuse(
            "oversized_image",
            f"Expected voxels packed at most {budget.limits.max_inflation}-fold in {name}, found {times(shape)} of them, "
            f"{n_bytes / MB:.0f} MB, in {file_bytes / MB:.3f} MB: nothing can be in them. Export it again, or raise "
            "LESIONFLOW_MAX_INFLATION.",
        )


def _require_within_image(n_voxels: int, budget: StudyBudget, shape: Sequence[int], name: str) -> None:
    if 0 < budget.n_voxels * MAX_PADDING < n_voxels:
        _refuse(
            "geometry_mismatch",
            f"Expected a mask of {name} on the grid of its image of {budget.n_voxels} voxels, found one of {times(shape)}.",
        )


def _refuse(reason: str, message: str) -> NoReturn:
    raise InputError(message, reason=reason)
