"""A foreign model behind the face of `Segmenter`: whoever segments, scores, predicts or serves need not know whose it is."""

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.bundle import Bundle
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import InputError
from lesionflow.inference.foreign.nnunet import NnunetNetwork
from lesionflow.inference.lesion_probabilities import TargetProbabilities, measure_probabilities, sum_expected
from lesionflow.inference.segmenter import NetworkAnswer, Segmenter, choose_device
from lesionflow.inference.stage import Progress
from lesionflow.preprocessing import source_slabs, stay_in_source_space

NNUNET = "nnunet"


class ForeignSegmenter(Segmenter):
    """What `Segmenter` makes of a bundle whose plan has a foreign model: its mask is the program's own, voxel by voxel.

    Args:
        bundle: Plan, weights and what was fitted.
        device: `auto`, `cpu` or `cuda`.
        backend: Not used: the program chooses.
        memory_mb: Not kept: the program is a process of its own.
    """

    def __init__(
        self, bundle: Bundle, *, device: str = "auto", backend: str | None = None, memory_mb: int | None = None
    ) -> None:
        del backend, memory_mb
        self.plan = bundle.plan
        self.calibration = bundle.calibration
        self.rules = bundle.rules
        self.temperature = bundle.temperature
        self.device = choose_device(device)
        self.memory_mb = None
        self.network = NnunetNetwork(bundle, device=self.device.type)

    @property
    def backend(self) -> str:
        """What runs the network."""
        return NNUNET

    def ask(self, volume: Volume, *, case_id: str, progress: Progress | None = None) -> NetworkAnswer:
        """Return what the program says, on the study's own grid; arguments as `segment`.

        Raises:
            InputError: `wrong_channels`.
            ServiceError: When the program fails.
        """
        if volume.n_channels != len(self.plan.channels):
            names = ", ".join(channel.name for channel in self.plan.channels)
            message = (
                f"Case {case_id}: expected the {len(self.plan.channels)} channels {names}, found {volume.n_channels}."
            )
            raise InputError(message, reason="wrong_channels")
        began = time.perf_counter()
        found = self.network.ask(volume, case_id=case_id)
        if progress is not None:
            progress(1, 1)
        timings = {"network": time.perf_counter() - began}
        return NetworkAnswer(found.probabilities, stay_in_source_space(volume.geometry), timings, found.labels)

    def _conclude(self, answer: NetworkAnswer, volume: Volume) -> tuple[Mask, tuple[TargetProbabilities, ...]]:
        way, targets = answer.way_back, self.plan.targets
        labels = np.zeros(volume.geometry.shape, np.uint8) if answer.labels is None else answer.labels
        expected = sum_expected(answer.probabilities, self.temperature)

        def slabs(first: int, last: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
            return source_slabs(answer.probabilities, way, first, last)

        evidence = measure_probabilities(labels, way.cropped, slabs, targets, self.temperature, expected)
        return Mask(labels, volume.geometry), evidence
