"""How much memory a segmentation takes, told before it begins, and which way keeps within a declared budget."""

from math import ceil, prod

import psutil

from lesionflow.data.plan import Plan
from lesionflow.errors import InputError
from lesionflow.inference.budgets.convolution_sizes import convolution_sizes
from lesionflow.inference.slabwise import SLAB_BYTES
from lesionflow.preprocessing import WayBack

BYTES, MB = 4, 1e6
#: What libraries set up at their first use, and slabs on their way between the grids.
FIXED_MB = 250.0
#: What a network holds at its widest convolution, in units of what goes in and comes out there: 3 to 3.6 were measured.
EAGER_COPIES = 4.0
#: The same slab by slab: of the largest answer, and of slabs (0.9 of this was measured).
SLABWISE_ANSWERS, SLABWISE_SLABS = 1.5, 6
#: Bytes a voxel of the body's box beside the mask while it is tidied and its lesions are numbered.
TIDYING_BYTES = 10


def choose_way(
    plan: Plan, way: WayBack, *, batch_size: int, memory_mb: float, slabwise: bool, case_id: str
) -> tuple[int, bool]:
    """Choose the fastest way that keeps within a budget.

    Args:
        plan: Of the network.
        way: Where the study's body lies, and the model grid over it.
        batch_size: Slices at a time that a 2D network would be given.
        memory_mb: What the whole process may take, the study included.
        slabwise: Whether a 3D network can be run slab by slab.
        case_id: For the message.

    Returns:
        Slices at a time; and whether to run slab by slab.

    Raises:
        InputError: `memory_budget` when no way does; it names the number to raise.
    """
    before = psutil.Process().memory_info().rss / MB + FIXED_MB
    ways = [(size, False) for size in dict.fromkeys((batch_size, max(1, batch_size // 4), 1))]
    least = float("inf")
    for size, lean in [*ways, (1, True)] if slabwise else ways:
        needed = before + needed_mb(plan, way, batch_size=size, slabwise=lean)
        if needed <= memory_mb:
            return size, lean
        least = min(least, needed)
    least = float(ceil(least))
    raise InputError(
        f"Case {case_id}: expected to segment within {memory_mb:.0f} MB of memory, found that {least:.0f} MB are needed. Set "
        f"LESIONFLOW_MEMORY_MB (or --memory-mb) to {least:.0f} or more, or send fewer slices.",
        reason="memory_budget",
    )


def needed_mb(plan: Plan, way: WayBack, *, batch_size: int, slabwise: bool) -> float:
    """Return the MB that a segmentation takes beside the study and the libraries, at the most.

    Args:
        plan: Of the network.
        way: Where the study's body lies, and the model grid over it.
        batch_size: Slices at a time.
        slabwise: Whether a 3D network runs slab by slab.
    """
    n_targets, n_channels = len(plan.targets), len(plan.channels)
    box, shape = prod(way.cropped.shape), way.model.shape
    if plan.dimensions == 3:
        shape = tuple(max(n, size) for n, size in zip(shape, plan.patch_size, strict=True))  # type: ignore[assignment]
    model = prod(shape)
    filtered = n_channels * box if plan.denoising != "none" or plan.bias_field_correction else 0
    preparing = BYTES * (n_channels * model + 2 * filtered)
    # Hints come into an array of their own, with the channels once more.
    n_with_coarse = n_channels + plan.n_coarse_predictions if plan.coarse else 0
    network = _network_bytes(plan, shape, batch_size, slabwise=slabwise)
    asking = BYTES * (n_channels + n_with_coarse + n_targets) * model + network
    concluding = BYTES * n_targets * model + prod(way.source.shape) + (n_targets + TIDYING_BYTES) * box
    return max(preparing, asking, concluding) / MB


def _network_bytes(plan: Plan, shape: tuple[int, int, int], batch_size: int, *, slabwise: bool) -> float:
    """Return what the network holds at its widest place, counted on shapes alone."""
    sizes = convolution_sizes(plan, shape, 1 if plan.dimensions == 3 else batch_size)
    first = plan.first_stage()
    before = _network_bytes(first, shape, batch_size, slabwise=slabwise) if first else 0.0
    if slabwise:
        return max(
            before,
            SLABWISE_ANSWERS * BYTES * max((one.n_out for one in sizes), default=0) + SLABWISE_SLABS * SLAB_BYTES,
        )
    return max(before, EAGER_COPIES * BYTES * max((one.n_in + one.n_out for one in sizes), default=0))
