"""What was found of a target in a study, and how sure the model is of it."""

import math
from dataclasses import dataclass

PointMm = tuple[float, float, float]


@dataclass(frozen=True)
class Diameters:
    """How wide a lesion is in the slice where it is widest, as RECIST 1.1 asks (doi:10.1016/j.ejca.2008.10.026).

    Args:
        longest: Both ends of the longest diameter within a slice, LPS mm.
        perpendicular: Both ends of the longest one at right angles to it in the same slice.

    Examples:
        >>> found = Diameters(longest=((0.0, 0.0, 5.0), (3.0, 4.0, 5.0)), perpendicular=((0.0, 0.0, 5.0), (1.6, -1.2, 5.0)))
        >>> found.longest_mm, found.perpendicular_mm
        (5.0, 2.0)
    """

    longest: tuple[PointMm, PointMm]
    perpendicular: tuple[PointMm, PointMm]

    @property
    def longest_mm(self) -> float:
        """The longest diameter."""
        return math.dist(*self.longest)

    @property
    def perpendicular_mm(self) -> float:
        """The longest one at right angles to it."""
        return math.dist(*self.perpendicular)


@dataclass(frozen=True)
class FoundLesion:
    """One lesion found: volume, center in LPS mm, the probability that it is one, and how wide it is; null where pixels have no known size."""

    volume_ml: float
    center_mm: tuple[float, float, float]
    confidence: float
    diameters: Diameters | None = None


@dataclass(frozen=True)
class Interval:
    """Where a volume lies with a stated probability, which for nine in ten bundles of as many patients is between two others."""

    low_ml: float
    high_ml: float
    coverage: float
    coverage_low: float | None = None
    coverage_high: float | None = None


@dataclass(frozen=True)
class PredictedDice:
    """The Dice that a reference would give, and the mean absolute error that such predictions had.

    `needs_review`: whether it is so low that somebody should look; of masks that have failed, the share `review_recall` is pointed at. Null where too
    few validation patients failed to say.
    """

    value: float
    mean_absolute_error: float
    needs_review: bool | None = None
    review_recall: float | None = None


@dataclass(frozen=True)
class TargetFinding:
    """What was found of one target; null where the bundle has no figure to say it by.

    `mean_probability` is that of the mask's voxels, null when there is none.
    """

    name: str
    volume_ml: float
    mean_probability: float | None
    interval: Interval | None
    predicted_dice: PredictedDice | None
    lesions: tuple[FoundLesion, ...]
