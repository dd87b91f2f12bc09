"""Whether a cascade is worth its time, and how coarse its first stage is."""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import NamedTuple

import numpy as np

from lesionflow.data.geometry import Shape
from lesionflow.data.plan import ArchitecturePlan, CoarsePlan, Decision
from lesionflow.errors import ConfigError
from lesionflow.planning.patch import BATCH_LIMITS, MemoryBudget, MemoryMb, choose_patch
from lesionflow.planning.sizes import Chosen, Sizes, shape_network

#: A patch that covers less of the median body sees too little of it (nnU-Net's rule).
COVERS_ENOUGH = 0.25
#: The first stage is made coarser until its patch covers this much.
COARSE_COVERS = 0.5
#: The most that model space is shrunk by.
MOST_COARSE = 16
#: Networks of the first stage: each learns from half of the cases, so that each case has coarse predictions of one that has not learned from it.
HALVES = 2

Spacing = tuple[float, float, float]


class Body(NamedTuple):
    """The median body, and the model space that it lies in; all (slice, row, column).

    Args:
        extent_mm: Of the body.
        spacing_mm: Of model space.
    """

    extent_mm: tuple[float, float, float]
    spacing_mm: Spacing

    def covered(self, patch: Shape, factors: Shape = (1, 1, 1)) -> float:
        """Return the share of the body that a patch covers, in 0..1, where model space is shrunk by the factors."""
        steps = np.multiply(self.spacing_mm, factors)
        sizes = [max(extent / step, 1.0) for extent, step in zip(self.extent_mm, steps, strict=True)]
        return prod(min(size / n, 1.0) for size, n in zip(patch, sizes, strict=True))


def decide_on_cascade(
    sizes: Sizes,
    alone: Chosen,
    architecture: ArchitecturePlan,
    memory_mb: Callable[[ArchitecturePlan, int, Shape], tuple[float, float]],
    wanted: bool | None,  # noqa: FBT001 - yes, no, or what the data ask for
    decisions: list[Decision],
) -> CoarsePlan | None:
    """Decide on a first stage on shrunk volumes, by how much of the median body a patch of the network alone would cover.

    Args:
        sizes: How patches and batches are chosen.
        alone: What is chosen for a network without coarse predictions.
        architecture: As params say.
        memory_mb: What training a 3D network with so many further channels holds for a patch.
        wanted: Whether params ask for it; None lets the data decide.
        decisions: Where the decision goes.

    Returns:
        The first stage, or None.

    Raises:
        ConfigError: When a cascade of slices is asked for, or the memory does not hold the first stage's smallest batch.
    """
    slices, rows, columns = sizes.spacing
    if wanted and (sizes.dimensions == 2 or slices is None):
        raise ConfigError("Expected plan.dimensions 3 for plan.cascade, found 2. Set plan.cascade to auto or false.")
    if wanted is False or sizes.dimensions == 2 or slices is None or rows is None or columns is None:
        return None
    body = Body(sizes.fingerprint.median_body_mm, (slices, rows, columns))
    covered = body.covered(alone.patch)
    if wanted is None and covered >= COVERS_ENOUGH:
        why = f"a patch covers {covered:.0%} of the median body, from {COVERS_ENOUGH:.0%} on it needs no hints"
        decisions.append(Decision.of("cascade", "none", why))
        return None

    def network(spacing: Spacing) -> tuple[ArchitecturePlan, Shape, MemoryMb]:
        shaped = shape_network(architecture, 3, spacing, [])
        return shaped, sizes.multiples(shaped), partial(memory_mb, shaped, 0)

    coarse, why = choose_factors(body, sizes.pinned_patch, network, sizes.memory_budget_mb)
    shown = f"first shrunk by {' x '.join(map(str, coarse.factors))}, then in full"
    asked = "set in params; " if wanted else ""
    why = f"{asked}a patch alone covers {covered:.0%} of the median body; {why}"
    decisions.append(Decision.of("cascade", shown, why))
    return coarse


def choose_factors(
    body: Body,
    pinned_patch: Shape | None,
    network: Callable[[Spacing], tuple[ArchitecturePlan, Shape, MemoryMb]],
    memory_budget_mb: int,
) -> tuple[CoarsePlan, str]:
    """Plan the first stage: shrink the finest axes first, until a patch covers half of the median body.

    Args:
        body: The median one.
        pinned_patch: Patch of the second stage where params say it: the first stage's is none larger.
        network: Gives, for a spacing, the network there, what its axes must be multiples of, and the memory of a patch.
        memory_budget_mb: Memory that training may hold.

    Returns:
        The first stage, and a sentence why.

    Raises:
        ConfigError: When the memory budget does not hold its smallest batch.
    """
    for coarse in range(2, MOST_COARSE + 1):
        factors = shrink_finest(body.spacing_mm, coarse)
        spacing = (
            body.spacing_mm[0] * factors[0],
            body.spacing_mm[1] * factors[1],
            body.spacing_mm[2] * factors[2],
        )
        architecture, multiples, memory_mb = network(spacing)
        budget = MemoryBudget(memory_budget_mb, memory_mb, BATCH_LIMITS[3])
        patch, _ = choose_patch(body.extent_mm, spacing, 3, 1, multiples, budget)
        if pinned_patch is not None:
            patch = (min(patch[0], pinned_patch[0]), min(patch[1], pinned_patch[1]), min(patch[2], pinned_patch[2]))
        if body.covered(patch, factors) >= COARSE_COVERS or coarse == MOST_COARSE:
            break
    batch, _ = budget.batch(patch, None)
    share = body.covered(patch, factors)
    shown = " x ".join(f"{step:.3g}" for step in spacing)
    why = f"at {shown} mm a patch of {' x '.join(map(str, patch))} covers {share:.0%} of the median body"
    members = architecture.model_copy(update={"n_members": HALVES})
    return CoarsePlan(factors=factors, patch_size=patch, batch_size=batch, architecture=members), why


def shrink_finest(spacing_mm: Spacing, coarse: int) -> Shape:
    """Return whole factors that make the finest axis `coarse` times as coarse, and the others no coarser than that.

    Args:
        spacing_mm: Of (slice, row, column).
        coarse: Factor of the finest axis.
    """
    wanted = min(spacing_mm) * coarse
    factors = [max(1, int(np.floor(wanted / step + 1e-6))) for step in spacing_mm]
    return factors[0], factors[1], factors[2]
