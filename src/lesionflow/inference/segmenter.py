"""Bundle and volume in, mask out."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from lesionflow.data.bundle import Bundle
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.inference.patches import predict_patches, predict_slices
from lesionflow.inference.postprocessing import to_labels
from lesionflow.models import build_model, size_multiple
from lesionflow.preprocessing import to_model_space, to_source_space

#: Slices that a 2D network sees at a time: enough to fill the cores, few enough to stay in memory.
SLICES_AT_A_TIME = 8


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a model finds in a study.

    Args:
        mask: Labels on the study's own grid.
        probabilities: (target, slice, row, column) on the same grid.
        volumes_ml: Volume of each target by name.
        timings_s: Seconds by part.
    """

    mask: Mask
    probabilities: NDArray[np.float32]
    volumes_ml: dict[str, float]
    timings_s: dict[str, float] = field(default_factory=dict)


class Segmenter:
    """A model, loaded once and ready.

    Args:
        bundle: Plan and weights.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ArtifactError: When the weights do not fit the plan's network, or the device is not there.
    """

    def __init__(self, bundle: Bundle, *, device: str = "auto") -> None:
        self.plan = bundle.plan
        self.device = choose_device(device)
        plan = self.plan
        try:
            network = build_model(
                plan.architecture,
                in_channels=plan.in_channels,
                out_channels=len(plan.targets),
                dimensions=plan.dimensions,
            )
            state = {name: torch.from_numpy(np.array(array)) for name, array in bundle.weights.items()}
            network.load_state_dict(state, strict=True)
        except (RuntimeError, ConfigError) as error:
            raise ArtifactError(
                f"Expected weights that fit the plan's {plan.architecture.name}, found: {error!s:.300}. "
                "Is the bundle of another version?"
            ) from error
        self.network = network.eval().to(self.device)

    def segment(
        self, volume: Volume, *, case_id: str, progress: Callable[[int, int], None] | None = None
    ) -> Segmentation:
        """Segment a study.

        Args:
            volume: All channels of the plan, in its order, on one grid.
            case_id: For messages.
            progress: Called with parts done and parts in all.

        Returns:
            The mask on the study's own grid, probabilities and volumes.

        Raises:
            InputError: When the study can't be brought to model space; see `to_model_space`.
        """
        began = time.perf_counter()
        model_space = to_model_space(volume, self.plan, case_id=case_id)
        prepared = time.perf_counter()
        found = self._predict(model_space.volume.array, progress)
        predicted = time.perf_counter()
        probabilities = to_source_space(found, model_space)
        geometry = volume.geometry
        labels = to_labels(probabilities, self.plan.targets, self.plan.inference, geometry.voxel_volume_ml)
        mask = Mask(labels, geometry)
        volumes = {t.name: float(mask.region(t.labels).sum()) * geometry.voxel_volume_ml for t in self.plan.targets}
        timings = {
            "to_model_space": prepared - began,
            "network": predicted - prepared,
            "to_source_space": time.perf_counter() - predicted,
        }
        return Segmentation(mask, probabilities, volumes, timings)

    def _predict(self, image: NDArray[np.float32], progress: Callable[[int, int], None] | None) -> NDArray[np.float32]:
        plan = self.plan
        if plan.dimensions == 2:
            return predict_slices(
                self.network,
                image,
                n_context=plan.context_slices,
                n_targets=len(plan.targets),
                multiple=size_multiple(plan.architecture),
                batch_size=SLICES_AT_A_TIME,
                flip_axes=plan.inference.flip_axes,
                device=self.device,
                progress=progress,
            )
        return predict_patches(
            self.network,
            image,
            patch_size=plan.patch_size,
            overlap_fraction=plan.inference.overlap_fraction,
            n_targets=len(plan.targets),
            flip_axes=plan.inference.flip_axes,
            device=self.device,
            progress=progress,
        )


def choose_device(device: str) -> torch.device:
    """Return the device wanted; `auto` is a GPU where there is one.

    Raises:
        ArtifactError: When `cuda` is asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ArtifactError("Expected a CUDA device, found none. Set LESIONFLOW_DEVICE=cpu.")
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)
