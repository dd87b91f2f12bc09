"""How long the network alone takes on a study if all goes as well as it can: what is refused for this could never be done in time."""

from math import prod

from lesionflow.config.control_groups import usable_cores
from lesionflow.data.geometry import Shape
from lesionflow.data.plan import Plan
from lesionflow.inference.budgets.convolution_sizes import convolution_sizes
from lesionflow.inference.patches import flip_combinations, padded_shape, patch_starts

#: Multiplications and additions a second that no core and no card exceeds: 32 lanes twice a cycle at 3 GHz; tensor cores.
MOST_A_CORE, MOST_A_CARD = 2e11, 1e15
#: Below so many voxels of model space nothing takes long enough to be worth the count.
FEW_VOXELS = 1 << 26


def network_seconds(plan: Plan, shape: Shape, device: str) -> float:
    """Return the seconds that the network takes at the least.

    Args:
        plan: Of the network; the first stage of a cascade is passed over.
        shape: (slice, row, column) in model space.
        device: `cpu` or `cuda`.

    Returns:
        Seconds; 0 for studies of usual size, which are not counted.
    """
    if prod(shape) < FEW_VOXELS:
        return 0.0
    flips = flip_combinations(plan.inference.flip_axes)
    most = MOST_A_CARD if device == "cuda" else MOST_A_CORE * usable_cores()
    products = sum(one.n_out * one.n_weights for one in convolution_sizes(plan, shape))
    return n_windows(plan, shape) * len(flips) * products / most


def n_windows(plan: Plan, shape: Shape) -> int:
    """Return how often a network of this plan looks at a study: once a slice, or once a patch."""
    if plan.dimensions == 2:
        return shape[0]
    starts = patch_starts(padded_shape(shape, plan.patch_size), plan.patch_size, plan.inference.overlap_fraction)
    return prod(len(places) for places in starts)
