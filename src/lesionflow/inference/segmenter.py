"""Bundle and volume in, mask out."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self, cast

import numpy as np
import torch
from numpy.typing import NDArray

from lesionflow.data.bundle import Bundle
from lesionflow.data.quantities.target_finding import TargetFinding
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import ArtifactError
from lesionflow.inference.backends import PYTORCH
from lesionflow.inference.budgets.memory_budget import choose_way
from lesionflow.inference.budgets.time_budget import network_seconds
from lesionflow.inference.findings import describe
from lesionflow.inference.lesion_probabilities import (
    TargetProbabilities,
    measure_probabilities,
    raw_threshold,
    sum_expected,
    sure_threshold,
)
from lesionflow.inference.out_of_distribution import OutOfDistribution, measure_out_of_distribution, require_profile
from lesionflow.inference.postprocessing import Box, above_threshold, to_labels
from lesionflow.inference.stage import Progress, Stage
from lesionflow.machine.volume_cost import require_seconds
from lesionflow.metrics.probabilities import soften
from lesionflow.models.cascade import part_stages
from lesionflow.preprocessing import WayBack, filled_body, find_way_back, source_slabs, to_model_space, to_source_space
from lesionflow.preprocessing.filters import require_filters
from lesionflow.preprocessing.pyramid import enlarge, shrink

#: Pixels that a 2D network sees at a time. On the CPU a feature map should stay below the 32 MB up to which the allocator
#: keeps freed blocks: slices of 320 x 416 took 0.08 s each one by one, 0.15 s eight at a time.
PIXELS_AT_A_TIME = {"cpu": 100_000, "cuda": 4_000_000}


@dataclass(frozen=True, eq=False)
class NetworkAnswer:
    """What the network says of a study, before any rule.

    Args:
        probabilities: (target, slice, row, column) on the model grid, as the network gave them.
        way_back: From there to the study's own grid.
        timings_s: Seconds by part.
        labels: The mask (slice, row, column) where a foreign program made it itself; None where our rules make it.
    """

    probabilities: NDArray[np.float32]
    way_back: WayBack
    timings_s: dict[str, float]
    labels: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a model finds in a study.

    Args:
        mask: Labels on the study's own grid.
        answer: What the network said.
        temperature: Of the calibration, 1 where there is none.
        findings: Each target with its lesions and how sure the model is.
        out_of_distribution: How unlike the training data the study is; None where the bundle does not know.
        timings_s: Seconds by part.
    """

    mask: Mask
    answer: NetworkAnswer
    temperature: float
    findings: tuple[TargetFinding, ...]
    out_of_distribution: OutOfDistribution | None
    timings_s: dict[str, float] = field(default_factory=dict)

    @property
    def volumes_ml(self) -> dict[str, float]:
        """Volume of each target by name."""
        return {finding.name: finding.volume_ml for finding in self.findings}

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Calibrated probabilities (target, slice, row, column) on the study's own grid; made anew at each call."""
        whole = to_source_space(self.answer.probabilities, self.answer.way_back)
        return whole if self.temperature == 1.0 else soften(whole, self.temperature).astype(np.float32)


class Segmenter:
    """A model, loaded once and ready.

    What it holds beside a study of n voxels is bounded: the study in model space, its probabilities there, the mask, and a few
    slices. The way back goes slab by slab.

    Args:
        bundle: Plan, weights and what was fitted.
        device: `auto`, `cpu` or `cuda`.
        backend: What runs the network on a CPU, a key of `BACKENDS`; without, what validation chose.
        memory_mb: What the process may take while it segments on a CPU, the study included; without, as much as is fastest.
            A 3D network is then PyTorch's, which alone can run it slab by slab.

    Raises:
        ArtifactError: When weights or profile do not fit the plan, or the device is not there.
        ConfigError: When a filter of the plan needs a library that is not installed.
    """

    def __new__(cls, bundle: Bundle, **_: object) -> Self:
        """Make one that asks another program where the bundle's model is foreign."""
        if bundle.plan.foreign is None or cls is not Segmenter:
            return super().__new__(cls)
        # It is a kind of this.
        from lesionflow.inference.foreign.foreign_segmenter import ForeignSegmenter

        return cast("Self", super().__new__(ForeignSegmenter))

    def __init__(
        self, bundle: Bundle, *, device: str = "auto", backend: str | None = None, memory_mb: int | None = None
    ) -> None:
        self.plan = bundle.plan
        require_filters(self.plan.denoising, bias_field_correction=self.plan.bias_field_correction)
        self.calibration = bundle.calibration
        if bundle.calibration is not None and bundle.calibration.profile is not None:
            require_profile(bundle.calibration.profile, bundle.plan)
        self.rules = bundle.rules
        self.temperature = bundle.temperature
        self.device = choose_device(device)
        wanted = backend or (bundle.backend.name if bundle.backend is not None else PYTORCH)
        self.memory_mb = memory_mb if self.device.type == "cpu" else None
        if self.memory_mb is not None and self.plan.dimensions == 3:
            wanted = PYTORCH
        coarse, fine = part_stages(bundle.weights)
        self.stage = Stage(self.plan, fine, device=self.device, backend=wanted)
        first = self.plan.first_stage()
        # The first stage takes a fraction of the time: another backend would hardly be felt.
        self.coarse = None if first is None else Stage(first, coarse, device=self.device, backend=PYTORCH)

    @property
    def backend(self) -> str:
        """What runs the network: a key of `BACKENDS`."""
        return self.stage.backend

    def segment(self, volume: Volume, *, case_id: str, progress: Progress | None = None) -> Segmentation:
        """Segment a study.

        Args:
            volume: All channels of the plan, in its order, on one grid.
            case_id: For messages.
            progress: Called with parts done and parts in all; to cancel, let it raise.

        Returns:
            The mask on the study's own grid, and how sure the model is.

        Raises:
            InputError: `memory_budget` when `memory_mb` can't be kept; `time_budget` when the network alone takes too long; and as `to_model_space`, for a study that can't be
                brought to model space.
        """
        return self.finish(self.ask(volume, case_id=case_id, progress=progress), volume)

    def finish(self, answer: NetworkAnswer, volume: Volume) -> Segmentation:
        """Turn an answer into all that is said of a study.

        Args:
            answer: Of `ask`.
            volume: The study that was asked about.

        Returns:
            The mask on the study's own grid, and how sure the model is.
        """
        began = time.perf_counter()
        mask, evidence = self._conclude(answer, volume)
        out_of_distribution = None
        if self.calibration is not None and self.calibration.profile is not None:
            out_of_distribution = measure_out_of_distribution(
                volume, answer.way_back, self.plan, self.calibration.profile
            )
        known = self.calibration.targets if self.calibration else ()
        timings = {**answer.timings_s, "to_source_space": time.perf_counter() - began}
        return Segmentation(mask, answer, self.temperature, describe(evidence, known), out_of_distribution, timings)

    def ask(self, volume: Volume, *, case_id: str, progress: Progress | None = None) -> NetworkAnswer:
        """Return what the network says, in model space; arguments and errors as `segment`."""
        began = time.perf_counter()
        way = find_way_back(volume, self.plan)
        batch_size, lean = self._choose_way(way, case_id)
        model_space = to_model_space(volume, self.plan, case_id=case_id, way=way)
        prepared = time.perf_counter()
        found = self._predict(model_space.volume.array, progress, batch_size, lean=lean)
        timings = {"to_model_space": prepared - began, "network": time.perf_counter() - prepared}
        return NetworkAnswer(found, model_space.way_back, timings)

    def ask_model_space(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the network says of a small image that is in model space already.

        Args:
            image: (channel, slice, row, column).

        Returns:
            Probabilities (target, slice, row, column).
        """
        return self._predict(image, None, 1, lean=False)

    def _conclude(self, answer: NetworkAnswer, volume: Volume) -> tuple[Mask, tuple[TargetProbabilities, ...]]:
        """Return the mask on the study's own grid, and what the probabilities say of it."""
        plan, way, temperature, rules = self.plan, answer.way_back, self.temperature, self.rules
        threshold = raw_threshold(rules, temperature)
        present = np.empty((len(plan.targets), *way.cropped.shape), dtype=bool)
        sure = np.empty_like(present) if rules.surest_only else None
        expected = np.zeros((len(plan.targets), 3))
        for block, part in source_slabs(answer.probabilities, way):
            present[:, block] = above_threshold(part, plan.targets, threshold)
            if sure is not None:
                sure[:, block] = above_threshold(part, plan.targets, sure_threshold(temperature))
            expected += sum_expected(part, temperature)
        kinds = tuple(channel.kind for channel in plan.channels)

        def body_of(box: Box) -> NDArray[np.bool_]:
            planes = way.view(volume.array)[:, box[0]]
            return filled_body(planes, kinds)[:, box[1], box[2]]

        labels = to_labels(present, plan.targets, rules, way.cropped.spacing_mm, body_of, sure)
        whole = np.zeros(way.source.shape, dtype=np.uint8)
        way.view(whole)[:] = labels

        def slabs(first: int, last: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
            return source_slabs(answer.probabilities, way, first, last)

        across = way.orientation.order.index(0)
        evidence = measure_probabilities(labels, way.cropped, slabs, plan.targets, temperature, expected, across=across)
        return Mask(whole, volume.geometry), evidence

    def _choose_way(self, way: WayBack, case_id: str) -> tuple[int, bool]:
        """Return slices at a time, and whether to run slab by slab, as fast as memory allows."""
        seconds = network_seconds(self.plan, way.model.shape, self.device.type)
        require_seconds(seconds, name=case_id, what="the network")
        _, n_rows, n_columns = way.model.shape
        batch_size = max(1, PIXELS_AT_A_TIME[self.device.type] // (n_rows * n_columns))
        if self.memory_mb is None:
            return batch_size, False
        return choose_way(
            self.plan,
            way,
            batch_size=batch_size,
            memory_mb=self.memory_mb,
            slabwise=self.stage.can_be_lean,
            case_id=case_id,
        )

    def _predict(
        self, image: NDArray[np.float32], progress: Progress | None, batch_size: int, *, lean: bool
    ) -> NDArray[np.float32]:
        shape = image.shape[1:]
        if self.coarse is None or self.plan.coarse is None:
            return self.stage.predict(image, batch_size=batch_size, lean=lean, progress=progress)
        factors = self.plan.coarse.factors
        small = shrink(image, factors)
        n_coarse = self.coarse.n_parts(small.shape[1:])
        total = n_coarse + self.stage.n_parts(shape)
        found = self.coarse.predict(
            small, batch_size=batch_size, lean=lean, progress=_part_of(progress, before=0, total=total)
        )
        coarse_predictions = enlarge(found, factors, (shape[0], shape[1], shape[2]))
        return self.stage.predict(
            np.concatenate([image, coarse_predictions]),
            batch_size=batch_size,
            lean=lean,
            progress=_part_of(progress, before=n_coarse, total=total),
        )


def _part_of(progress: Progress | None, *, before: int, total: int) -> Progress | None:
    """Return what tells of one stage as a part of all."""
    return None if progress is None else lambda done, _: progress(before + done, total)


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
