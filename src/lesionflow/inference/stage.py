"""One network of a plan, loaded, and the way of a volume in model space through it."""

from collections.abc import Callable, Mapping
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray

from lesionflow.data.plan import Plan
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.inference.backends import PYTORCH, make_network
from lesionflow.inference.budgets.allocator import kept_memory, returned_memory
from lesionflow.inference.patches import padded_shape, patch_starts, predict_patches, predict_slices
from lesionflow.inference.slabwise import slabwise
from lesionflow.models import build_model, size_multiple

Progress = Callable[[int, int], None]


class Stage:
    """The network of a plan that is no cascade, or of one stage of a cascade.

    Args:
        plan: Of the network.
        weights: By torch's parameter names.
        device: Where it runs.
        backend: What runs it on a CPU, a key of `BACKENDS`.

    Raises:
        ArtifactError: When the weights do not fit the plan.
    """

    def __init__(
        self, plan: Plan, weights: Mapping[str, NDArray[np.generic]], *, device: torch.device, backend: str
    ) -> None:
        self.plan = plan
        self.device = device
        network = _load(plan, weights).to(device)
        self.network = make_network(backend, network, plan, device)
        self.backend = PYTORCH if self.network is network else backend
        self._lean = slabwise(network) if plan.dimensions == 3 else network

    @property
    def can_be_lean(self) -> bool:
        """Tell whether the network can be run slab by slab."""
        return self._lean is not self.network

    def n_parts(self, shape: tuple[int, ...]) -> int:
        """Return how many parts (slices or patches) a volume (slice, row, column) is looked at in."""
        if self.plan.dimensions == 2:
            return shape[0]
        size = self.plan.patch_size
        starts = patch_starts(padded_shape(shape, size), size, self.plan.inference.overlap_fraction)
        return prod(len(places) for places in starts)

    def predict(
        self, image: NDArray[np.float32], *, batch_size: int, lean: bool, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Return what the network says of a volume.

        Args:
            image: (channel, slice, row, column) in model space, coarse predictions included.
            batch_size: Slices at a time that a 2D network is given.
            lean: Whether to run slab by slab.
            progress: Called with parts done and parts in all; what it raises ends the work.

        Returns:
            Probabilities (target, slice, row, column).
        """
        plan = self.plan
        if plan.dimensions == 2:
            return predict_slices(
                self.network,
                image,
                n_context=plan.context_slices,
                n_targets=len(plan.targets),
                multiple=size_multiple(plan.architecture),
                batch_size=batch_size,
                flip_axes=plan.inference.flip_axes,
                device=self.device,
                progress=progress,
            )
        with returned_memory() if lean else kept_memory():
            return predict_patches(
                self._lean if lean else self.network,
                image,
                patch_size=plan.patch_size,
                overlap_fraction=plan.inference.overlap_fraction,
                n_targets=len(plan.targets),
                flip_axes=plan.inference.flip_axes,
                device=self.device,
                progress=progress,
            )


def _load(plan: Plan, weights: Mapping[str, NDArray[np.generic]]) -> torch.nn.Module:
    try:
        network = build_model(
            plan.architecture, in_channels=plan.in_channels, out_channels=len(plan.targets), dimensions=plan.dimensions
        )
        state = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
        network.load_state_dict(state, strict=True)
    except (RuntimeError, ConfigError) as error:
        raise ArtifactError(
            f"Expected weights that fit the plan's {plan.architecture.name}, found: {error!s:.300}. "
            "Is the bundle of another version?"
        ) from error
    return network.eval()
