"""What the probabilities say of what was found: of each target as a whole, and of each lesion."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.data.calibration import MaskRules
from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry, SpacingMm
from lesionflow.data.quantities.target_finding import Diameters
from lesionflow.inference.postprocessing import CONNECTIVITY
from lesionflow.metrics.diameters import measure_diameters
from lesionflow.metrics.probabilities import harden, soften

#: Voxels that the network finds less probable count as none, whatever the rules: millions of them, each hardly possible, would
#: outweigh a small tumor.
NEGLIGIBLE = 0.02
#: Masks of these thresholds are compared: where they differ much, the border is the threshold's more than the tumor's.
POSSIBLE, SURE = 0.3, 0.7
#: A ball's surface by the faces of its voxels, to its true one: each axis sees its disc twice.
FACES_OF_A_BALL = 1.5

#: Gives the slices from a first up to a last, a few at a time: (target, slices, row, column) as the network gave them.
Slabs = Callable[[int, int], Iterator[tuple[slice, NDArray[np.float32]]]]


@dataclass(frozen=True)
class LesionProbabilities:
    """One lesion found.

    Args:
        volume_ml: Its volume.
        center_mm: Its center, LPS.
        mean_probability: Mean calibrated probability of its voxels.
        real: Whether it touches a lesion of the reference; None where there is none to compare with.
        diameters: In the slice where it is widest; None where there is a reference, or nobody knows how large pixels are.
    """

    volume_ml: float
    center_mm: tuple[float, float, float]
    mean_probability: float
    real: bool | None = None
    diameters: Diameters | None = None


@dataclass(frozen=True)
class TargetProbabilities:
    """What was found of one target.

    Args:
        name: The target.
        volume_ml: Volume of its mask.
        expected_ml: Sum of calibrated probabilities, of voxels that are not negligible.
        expected_inside_ml: The same inside the mask.
        lesions: By descending volume.
        possible_ml: Volume of what is more probable than `POSSIBLE`.
        sure_ml: Volume of what is more probable than `SURE`.
        surface_mm2: Of the mask, the faces of its voxels.
    """

    name: str
    volume_ml: float
    expected_ml: float
    expected_inside_ml: float
    lesions: tuple[LesionProbabilities, ...]
    possible_ml: float = 0.0
    sure_ml: float = 0.0
    surface_mm2: float = 0.0

    @property
    def expected_dice(self) -> float:
        """Dice that the probabilities expect of the mask: 2 E[overlap] / (mask + E[tumor]); 1 when both are empty."""
        both = self.volume_ml + self.expected_ml
        return 2.0 * self.expected_inside_ml / both if both > 0 else 1.0

    @property
    def signs(self) -> dict[str, float]:
        """What tells a bad mask from a good one, each usually higher where more can be relied on.

        `stability`: Dice between the masks of what is possible and of what is sure: 1 where the border stands wherever the threshold
        is put. `certainty`: mean probability of the mask. `roundness`: surface of a ball of its volume, by voxels' faces, to its own: 1 of a ball,
        low where it is in pieces or ragged (Wadell's sphericity).
        """
        both = self.possible_ml + self.sure_ml
        ball_mm2 = FACES_OF_A_BALL * np.pi ** (1 / 3) * (6000.0 * self.volume_ml) ** (2 / 3)
        return {
            "stability": 2.0 * self.sure_ml / both if both > 0 else 1.0,
            "certainty": self.expected_inside_ml / self.volume_ml if self.volume_ml > 0 else 0.0,
            "roundness": float(ball_mm2 / self.surface_mm2) if self.surface_mm2 > 0 else 1.0,
        }


def raw_threshold(rules: MaskRules, temperature: float) -> float:
    """Return from which probability on, as the network gave it, a voxel belongs.

    Calibration keeps the order of probabilities, so that the threshold can be turned back instead of every voxel.
    """
    return max(harden(rules.probability_threshold, temperature), NEGLIGIBLE)


def sure_threshold(temperature: float) -> float:
    """Return from which probability on, as the network gave it, it is sure of a voxel: `SURE`, once calibrated."""
    return max(harden(SURE, temperature), NEGLIGIBLE)


def sum_expected(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Sum the calibrated probabilities of each target, leaving out negligible ones, and count what is possible and what is sure.

    Args:
        probabilities: (target, slice, row, column) as the network gave them.
        temperature: Of the calibration.

    Returns:
        (target, 3), in voxels: the sum, how many are more probable than `POSSIBLE`, how many than `SURE`.
    """
    least = max(NEGLIGIBLE, harden(POSSIBLE, temperature)), max(NEGLIGIBLE, harden(SURE, temperature))
    return np.array(
        [
            (soften(p[p >= NEGLIGIBLE], temperature).sum(), *(np.count_nonzero(p >= limit) for limit in least))
            for p in probabilities
        ],
        dtype=np.float64,
    )


def measure_probabilities(
    labels: NDArray[np.uint8],
    geometry: Geometry,
    slabs: Slabs,
    targets: tuple[Target, ...],
    temperature: float,
    expected: NDArray[np.float64],
    reference: NDArray[np.uint8] | None = None,
    across: int = 0,
) -> tuple[TargetProbabilities, ...]:
    """Measure every target and lesion; only slices with lesions are looked at again.

    Args:
        labels: The mask (slice, row, column).
        geometry: Its grid.
        slabs: Gives the probabilities on that grid.
        targets: The network's outputs.
        temperature: Of the calibration.
        expected: `sum_expected` over the whole study.
        reference: Labels to compare lesions with.
        across: The axis that goes from slice to slice of the series, as diameters are measured within slices.

    Returns:
        One a target.
    """
    voxel_ml = geometry.voxel_volume_ml
    found = []
    for number, target in enumerate(targets):
        truth = None if reference is None else np.isin(reference, target.labels)
        parts, first = _label(np.isin(labels, target.labels))
        rows = _sums(parts, first, number, slabs, temperature, truth)
        # Of validation cases nobody asks for them.
        wide = (
            _diameters(parts, first, geometry, across)
            if truth is None and geometry.spacing_known
            else [None] * len(rows)
        )
        centers = geometry.to_lps(rows[:, 2:5] / rows[:, :1])
        lesions = [
            LesionProbabilities(
                volume_ml=float(row[0]) * voxel_ml,
                center_mm=(float(c[0]), float(c[1]), float(c[2])),
                mean_probability=float(row[1] / row[0]),
                real=None if truth is None else bool(row[5] > 0),
                diameters=diameters,
            )
            for row, c, diameters in zip(rows, centers, wide, strict=True)
        ]
        lesions.sort(key=lambda lesion: -lesion.volume_ml)
        n_voxels, inside = (float(total) for total in rows[:, :2].sum(axis=0))
        expected_ml, possible_ml, sure_ml = (float(n) * voxel_ml for n in expected[number])
        found.append(
            TargetProbabilities(
                target.name,
                n_voxels * voxel_ml,
                expected_ml,
                inside * voxel_ml,
                tuple(lesions),
                possible_ml,
                sure_ml,
                surface_mm2(np.isin(labels, target.labels), geometry.spacing_mm),
            )
        )
    return tuple(found)


def surface_mm2(mask: NDArray[np.bool_], spacing_mm: SpacingMm) -> float:
    """Add up the faces of a mask's voxels that border on others, in mm²; where the volume ends the mask ends.

    Args:
        mask: Bool (slice, row, column).
        spacing_mm: (slice, row, column).
    """
    across, down, along = 0, 0, 0
    before = np.zeros(mask.shape[1:], dtype=bool)
    for plane in (*mask, np.zeros_like(before)):
        across += int(np.count_nonzero(plane != before))
        down += int(np.count_nonzero(np.diff(plane, axis=0)) + np.count_nonzero(plane[[0, -1]]))
        along += int(np.count_nonzero(np.diff(plane, axis=1)) + np.count_nonzero(plane[:, [0, -1]]))
        before = plane
    slices, rows, columns = spacing_mm
    return across * rows * columns + down * slices * columns + along * slices * rows


def _label(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Number the lesions of a mask from 1 on; return the slices from the first to the last that has any, and which the first is."""
    places = np.flatnonzero(mask.any(axis=(1, 2)))
    if not places.size:
        return np.zeros((0, *mask.shape[1:]), dtype=np.int32), 0
    first, last = int(places[0]), int(places[-1]) + 1
    return ndimage.label(mask[first:last], CONNECTIVITY)[0], first


def _diameters(parts: NDArray[np.int32], first: int, geometry: Geometry, across: int) -> list[Diameters | None]:
    """Measure each lesion, in the order of their numbers."""
    found: list[Diameters | None] = []
    for number, box in enumerate(ndimage.find_objects(parts) if parts.size else (), start=1):
        corner = (box[0].start + first, box[1].start, box[2].start)
        found.append(measure_diameters(parts[box] == number, geometry, corner, across))
    return found


def _sums(
    parts: NDArray[np.int32],
    first: int,
    number: int,
    slabs: Slabs,
    temperature: float,
    truth: NDArray[np.bool_] | None,
) -> NDArray[np.float64]:
    """Sum over each lesion: voxels, probabilities, slice, row and column indices, voxels of the reference."""
    if not parts.size:
        return np.zeros((0, 6))
    last, n_parts = first + len(parts), int(parts.max())
    sums = np.zeros((n_parts + 1, 6))
    for block, part in slabs(first, last):
        near = parts[block.start - first : block.stop - first]
        index = np.nonzero(near)
        numbers = near[index]
        weights: list[NDArray[Any] | None] = [
            None,
            soften(part[number][index], temperature),
            index[0] + block.start,
            index[1],
            index[2],
        ]
        if truth is not None:
            weights.append(truth[block][index])
        for column, weight in enumerate(weights):
            sums[:, column] += np.bincount(numbers, weights=weight, minlength=n_parts + 1)
    return sums[1:]
