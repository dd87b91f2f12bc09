"""Patch and batch of a network, and the shape that thick slices ask of it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lesionflow.data.fingerprint import Fingerprint
from lesionflow.data.geometry import Shape
from lesionflow.data.plan import ArchitecturePlan, Decision
from lesionflow.planning.patch import (
    BATCH_LIMITS,
    PINNED,
    MemoryBudget,
    MemoryMb,
    SpacingByAxis,
    choose_patch,
    require_patch,
)

#: The option of a network that says at how many levels slices stay whole.
THICK_LEVELS = "thick_levels"
#: Slices less than this many times as thick as pixels are halved with them (nnU-Net's rule).
HALVED_BELOW = 2.0
#: A patch may be this much larger than the median body: sizes come in steps of the network's halvings.
BEYOND = 1.25


@dataclass(frozen=True)
class Chosen:
    """A patch and a batch, with a sentence why for each."""

    patch: Shape
    batch: int
    decisions: tuple[Decision, Decision]


@dataclass(frozen=True)
class Sizes:
    """How patch and batch are chosen, whatever the network and its channels; the fields are as in `planning.make_plan`."""

    fingerprint: Fingerprint
    spacing: SpacingByAxis
    dimensions: Literal[2, 3]
    context_slices: int
    pinned_patch: Shape | None
    pinned_batch: int | None
    memory_budget_mb: int
    size_multiple: int

    def multiples(self, architecture: ArchitecturePlan) -> Shape:
        """Return what the (slice, row, column) axes of a network must be multiples of."""
        thick = int(architecture.options.get(THICK_LEVELS, 0))
        return self.size_multiple // 2**thick, self.size_multiple, self.size_multiple

    def choose(self, architecture: ArchitecturePlan, memory_mb: MemoryMb) -> Chosen:
        """Choose for a network."""
        multiples = self.multiples(architecture)
        budget = MemoryBudget(self.memory_budget_mb, memory_mb, BATCH_LIMITS[self.dimensions])
        if self.pinned_patch is not None:
            patch = self.pinned_patch
            require_patch(patch, self.dimensions, multiples, self.context_slices)
            why_patch = PINNED + beyond_body(patch, self.fingerprint, self.spacing, self.dimensions)
        else:
            body = self.fingerprint.median_body_mm
            patch, why_patch = choose_patch(body, self.spacing, self.dimensions, self.context_slices, multiples, budget)
        batch, why_batch = budget.batch(patch, self.pinned_batch)
        return Chosen(
            patch, batch, (Decision.of("patch_size", patch, why_patch), Decision.of("batch_size", batch, why_batch))
        )


def shape_network(
    architecture: ArchitecturePlan, dimensions: int, spacing: SpacingByAxis, decisions: list[Decision]
) -> ArchitecturePlan:
    """Put a number where params let the data decide how many levels do not halve thick slices.

    As nnU-Net does: slices are halved from where pixels, halved before, are more than half as large.
    """
    if architecture.options.get(THICK_LEVELS) != "auto":
        return architecture
    thick, why = 0, "a 2D network does not halve slices"
    slices, rows, columns = spacing
    if dimensions == 3 and slices and rows and columns:
        ratio, depth = slices / float(np.sqrt(rows * columns)), int(architecture.options.get("depth", 0))
        while ratio / 2**thick >= HALVED_BELOW and thick < depth:
            thick += 1
        why = f"slices are {ratio:.1f} times as thick as pixels; they are halved from where that is less than {HALVED_BELOW:g}"
    decisions.append(Decision.of("levels of thick slices", thick, why))
    return architecture.model_copy(update={"options": {**architecture.options, THICK_LEVELS: thick}})


def beyond_body(patch: Shape, fingerprint: Fingerprint, spacing: SpacingByAxis, dimensions: int) -> str:
    """Say that a patch is larger than most cases: its repeated borders are trained on and never predicted on."""
    steps = [step or own for step, own in zip(spacing, fingerprint.median_spacing_mm, strict=True)]
    body = [round(extent / step) for extent, step in zip(fingerprint.median_body_mm, steps, strict=True)]
    first = 1 if dimensions == 2 else 0
    if all(size <= BEYOND * n for size, n in zip(patch[first:], body[first:], strict=True)):
        return ""
    shown = " x ".join(map(str, body[first:]))
    return f"; beyond the median body of {shown} voxels lies its repeated border alone: lower plan.patch_size"
