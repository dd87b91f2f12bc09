"""How large a patch and a batch may be for a budget of memory."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lesionflow.data.geometry import Shape
from lesionflow.errors import ConfigError

#: Smallest and largest batch by dimensions.
BATCH_LIMITS = {2: (2, 32), 3: (1, 4)}
#: Longest axis of a patch by dimensions.
PATCH_LIMITS = {2: 512, 3: 160}
#: A patch of fewer voxels at the network's coarsest depth can't be normalized by instance.
LEAST_COARSEST_VOXELS = 2
PINNED = "pinned in params"

SpacingByAxis = tuple[float | None, float | None, float | None]
#: What training holds for a patch: MB whatever the batch, and MB a sample.
MemoryMb = Callable[[Shape], tuple[float, float]]


@dataclass(frozen=True)
class MemoryBudget:
    """The memory that training may hold, and what it would.

    Args:
        total_mb: The budget.
        memory_mb: MB of a patch, whatever the batch and by sample.
        limits: Smallest and largest batch.
    """

    total_mb: int
    memory_mb: MemoryMb
    limits: tuple[int, int]

    @property
    def least(self) -> int:
        """The smallest batch."""
        return self.limits[0]

    def fits(self, patch: Shape) -> bool:
        """Tell whether the smallest batch of such patches fits."""
        return self.needed_mb(patch, self.least) <= self.total_mb

    def needed_mb(self, patch: Shape, batch: int) -> float:
        """Return what a batch of such patches takes."""
        fixed_mb, sample_mb = self.memory_mb(patch)
        return fixed_mb + batch * sample_mb

    def batch(self, patch: Shape, pinned: int | None) -> tuple[int, str]:
        """Return the batch and why; refuse one that does not fit."""
        fixed_mb, sample_mb = self.memory_mb(patch)
        wanted = self.least if pinned is None else pinned
        needed = self.needed_mb(patch, wanted)
        if needed > self.total_mb:
            raise ConfigError(
                f"Expected plan.memory_budget_mb to hold {wanted} samples of {sample_mb:.0f} MB beside {fixed_mb:.0f} MB "
                f"for weights and optimizer, found {self.total_mb} MB. Raise it to {int(np.ceil(needed))}, or pin a "
                "smaller plan.patch_size or plan.batch_size."
            )
        if pinned is not None:
            return pinned, f"{PINNED}; takes {needed:.0f} MB of the {self.total_mb} MB budget"
        most = int((self.total_mb - fixed_mb) // sample_mb)
        why = f"a sample takes {sample_mb:.0f} MB, weights and optimizer {fixed_mb:.0f} MB, of the {self.total_mb} MB budget"
        return min(most, self.limits[1]), why


def choose_patch(
    body_mm: tuple[float, float, float],
    spacing: SpacingByAxis,
    dimensions: int,
    context_slices: int,
    multiples: Shape,
    budget: MemoryBudget,
) -> tuple[Shape, str]:
    """Cover the median body; then cut the axis that is longest beside its body until the smallest batch fits.

    Args:
        body_mm: Median extent of the body along (slice, row, column).
        spacing: Model space's; null where each study keeps its own.
        dimensions: 2 or 3.
        context_slices: First axis of a 2D patch.
        multiples: Numbers that the (slice, row, column) axes of the network must be multiples of.
        budget: What must hold it.

    Returns:
        The patch, and a sentence why.
    """
    bodies = [body / step if step else 1.0 for body, step in zip(body_mm, spacing, strict=True)]
    sizes = [
        min(int(np.ceil(body / multiple)), PATCH_LIMITS[dimensions] // multiple) * multiple
        for body, multiple in zip(bodies, multiples, strict=True)
    ]
    axes = range(3 - dimensions, 3)
    if dimensions == 2:
        sizes[0] = context_slices
    if all(sizes[axis] == multiples[axis] for axis in axes):
        sizes[2] = LEAST_COARSEST_VOXELS * multiples[2]
    wanted = list(sizes)
    while not budget.fits((sizes[0], sizes[1], sizes[2])):
        longer = [axis for axis in axes if sizes[axis] > multiples[axis]]
        if sum(sizes[axis] // multiples[axis] - 1 for axis in longer) < LEAST_COARSEST_VOXELS:
            break
        longest = max(longer, key=lambda axis: (sizes[axis] / bodies[axis], sizes[axis]))
        sizes[longest] -= multiples[longest]
    _, rows, columns = body_mm
    why = f"covers the median body of {rows:.0f} x {columns:.0f} mm in plane, at most {PATCH_LIMITS[dimensions]} voxels an axis"
    if sizes != wanted:
        shown = " x ".join(map(str, wanted))
        why = (
            f"{shown} would cover the median body, but {budget.least} such samples do not fit into {budget.total_mb} MB"
        )
    return (sizes[0], sizes[1], sizes[2]), why


def require_patch(patch: Shape, dimensions: int, multiples: Shape, context_slices: int) -> None:
    """Refuse a pinned patch that the network can't halve, or that has other context slices than the plan.

    Args:
        patch: (slice, row, column).
        dimensions: 2 or 3.
        multiples: Numbers that the (slice, row, column) axes of the network must be multiples of.
        context_slices: First axis of a 2D patch.

    Raises:
        ConfigError: When it does not fit.
    """
    axes = range(3 - dimensions, 3)
    if any(patch[axis] % multiples[axis] for axis in axes):
        shown = " x ".join(str(multiples[axis]) for axis in axes)
        larger = [
            -(-size // multiple) * multiple if axis in axes else size
            for axis, (size, multiple) in enumerate(zip(patch, multiples, strict=True))
        ]
        raise ConfigError(
            f"Expected plan.patch_size in multiples of {shown} for this network, found {list(patch)}. Set it to {larger}."
        )
    if all(patch[axis] < LEAST_COARSEST_VOXELS * multiples[axis] for axis in axes):
        raise ConfigError(
            f"Expected plan.patch_size of more than one coarsest voxel, found {patch}: after all halvings one voxel would be "
            f"left, which can't be normalized. Make an axis twice {multiples[2]}."
        )
    if dimensions == 2 and patch[0] != context_slices:
        raise ConfigError(
            f"Expected plan.patch_size to begin with the {context_slices} of plan.context_slices, found {patch}."
        )
