"""What a grid costs that a study is resampled to: its voxels, and how far the smoothing before it reaches."""

import math
from collections.abc import Sequence
from itertools import permutations

from lesionflow.data.geometry import Shape, SpacingMm
from lesionflow.errors import InputError
from lesionflow.machine.study_budget import current_budget

#: A network sees nothing of what it learned when voxels are so many times finer than its own; the smoothing that comes before is
#: three times as wide. Thin CT at 0.2 mm for a model of 5 mm slices: 25.
MAX_SHRINK = 64


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
        raise InputError(
            f"Expected at most {limits.max_voxels} voxels of {name} at {wanted} mm, found {times(shape)}: its own are {found} mm "
            "wide. Check its spacing, crop it, or raise LESIONFLOW_MAX_VOXELS.",
            reason="oversized_model_grid",
        )


def require_model_grid(
    shape: Sequence[int],
    spacing_mm: SpacingMm,
    wanted_mm: tuple[float | None, ...],
    *,
    name: str,
) -> None:
    """Refuse by the best that could become of it: cropped to a body nothing shrinks by more than some times.

    Args:
        shape: Voxels (slice, row, column) of the study.
        spacing_mm: Their distances.
        wanted_mm: The model's; None along an axis that keeps the study's own.
        name: What to call the study in messages. Which of its axes is which patient's is not known yet, so all ways to lay them
            on one another are tried.

    Raises:
        InputError: As `require_grid`.
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
    if math.prod(sizes_of) > current_budget().limits.max_voxels:
        require_grid(own, sizes_of, target, name=name)


def _require_shrink(source_mm: Sequence[float], target_mm: Sequence[float], name: str) -> None:
    if _shrink(source_mm, target_mm) > MAX_SHRINK:
        found = " x ".join(f"{s:.3g}" for s in source_mm)
        wanted = " x ".join(f"{s:.3g}" for s in target_mm)
        raise InputError(
            f"Expected voxels of {name} at most {MAX_SHRINK} times as fine as the {wanted} mm that they are resampled to, found "
            f"{found} mm. Check its spacing.",
            reason="implausible_spacing",
        )


def _shrink(source_mm: Sequence[float], target_mm: Sequence[float]) -> float:
    return max(target / source for source, target in zip(source_mm, target_mm, strict=True))


def times(shape: Sequence[int]) -> str:
    """Write sizes as people do: 5 x 7 x 11."""
    return " x ".join(str(int(n)) for n in shape)
