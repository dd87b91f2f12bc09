"""Facts measured on the training cases, from which the plan is decided."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.background import Contrast, has_bright_background
from lesionflow.data.geometry import Shape, SpacingMm

#: Percentiles that bound the intensities of tumors, as nnU-Net's (Isensee et al. 2021, DOI 10.1038/s41592-020-01008-z).
BOUNDS_PERCENT = (0.5, 99.5)


@dataclass(frozen=True, eq=False)
class CaseFacts:
    """What one case tells.

    Args:
        case_id: Its pseudonym.
        spacing_mm: (slice, row, column) spacing in canonical orientation.
        body_shape: Voxels of the body's box.
        tumor_ml: Volume of all labels together.
        body: (channel, n) intensities sampled inside the body.
        tumor: (channel, n) intensities sampled inside the labels; n may be 0.
    """

    case_id: str
    spacing_mm: SpacingMm
    body_shape: Shape
    tumor_ml: float
    body: NDArray[np.float32]
    tumor: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What all training cases tell together; `contrasts` has an entry a channel."""

    n_cases: int
    median_spacing_mm: SpacingMm
    fine_slice_spacing_mm: float
    median_body_mm: tuple[float, float, float]
    median_tumor_ml: float
    body: NDArray[np.float32]
    tumor: NDArray[np.float32]
    contrasts: tuple[Contrast, ...]

    @property
    def anisotropy(self) -> float:
        """Coarsest over finest median spacing."""
        return max(self.median_spacing_mm) / min(self.median_spacing_mm)

    def tumor_bounds(self, channel: int) -> tuple[float, float]:
        """Intensities between which 99 % of the tumor voxels of a channel lie; of the body where there is no tumor."""
        values = self.tumor[channel] if self.tumor.shape[1] else self.body[channel]
        low, high = np.percentile(values, BOUNDS_PERCENT)
        return float(low), float(high)


def summarize_facts(facts: Sequence[CaseFacts]) -> Fingerprint:
    """Put the facts of all training cases together, in order of their ids.

    Args:
        facts: One a case, at least one.

    Returns:
        The fingerprint.
    """
    ordered = sorted(facts, key=lambda case: case.case_id)
    spacings = np.array([case.spacing_mm for case in ordered])
    bodies = np.array([case.body_shape for case in ordered]) * spacings
    spacing, body = np.median(spacings, axis=0), np.median(bodies, axis=0)
    tumors = [case.tumor_ml for case in ordered if case.tumor_ml > 0]
    return Fingerprint(
        n_cases=len(ordered),
        median_spacing_mm=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        fine_slice_spacing_mm=float(np.percentile(spacings[:, 0], 10)),
        median_body_mm=(float(body[0]), float(body[1]), float(body[2])),
        median_tumor_ml=float(np.median(tumors)) if tumors else 0.0,
        body=np.concatenate([case.body for case in ordered], axis=1),
        tumor=np.concatenate([case.tumor for case in ordered], axis=1),
        contrasts=tuple(_contrast(ordered, channel) for channel in range(len(ordered[0].body))),
    )


def _contrast(cases: Sequence[CaseFacts], channel: int) -> Contrast:
    bright = [has_bright_background(case.body[channel]) for case in cases]
    brighter = [
        np.sign(case.tumor[channel].mean() - case.body[channel].mean()) if case.tumor.shape[1] else 0.0
        for case in cases
    ]
    return Contrast(np.array(bright, dtype=bool), np.array(brighter, dtype=np.float64))
